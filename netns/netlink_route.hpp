#pragma once

#include "troupe/netns/kernel.hpp"
#include "troupe/netns/netlink_message.hpp"

#include <optional>
#include <vector>

/// Requests about addresses, routes and neighbours, and what their answers
/// say. Private to netns.
namespace troupe::netns {

netlink_message new_address(int index, const interface_address& x);
netlink_message remove_address(int index, const interface_address& x);

/// A dump; older kernels ignore `index`.
netlink_message ask_addresses(int index);

/// Nothing for an address of another link and for an IPv6 link-local one that
/// the kernel made.
std::optional<interface_address>
read_address(const nlmsghdr& message, int index);

netlink_message new_route(const route_info& x);
netlink_message remove_route(const route_info& x);

/// A dump of the main table of one family; older kernels return all tables.
netlink_message ask_routes(ip_family family);

/// A route of the main table as the kernel tells it: with one entry for each
/// next hop.
struct known_route {
  std::vector<route_info> hops;
  bool kernel_made = false;
  bool unicast = true;
};

/// Nothing for routes of other tables or families, and for cached ones.
std::optional<known_route>
read_route(const nlmsghdr& message, ip_family family);

netlink_message new_neighbour(const neighbour_info& x);
netlink_message remove_neighbour(const neighbour_info& x);

} // namespace troupe::netns
