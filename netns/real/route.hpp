#pragma once

#include "troupe/netns/kernel.hpp"
#include "troupe/netns/real/message.hpp"

#include <optional>
#include <vector>

/// Requests about addresses, routes and neighbours, and what their answers
/// say. Private to netns.
namespace troupe::netns {

netlink_message new_address(int index, const interface_address& x);
netlink_message remove_address(int index, const interface_address& x);

/// A dump; older kernels ignore `index`; zero: of all links.
netlink_message ask_addresses(int index);

/// Nothing for an IPv6 link-local address as the kernel makes them.
std::optional<placed_address> read_address(const nlmsghdr& message);

netlink_message new_route(const route_info& x);
netlink_message remove_route(const route_info& x);

/// A dump of a table of one family, through one link; zero: all. Older kernels
/// return all tables and links.
netlink_message ask_routes(ip_family family, uint32_t table, int index);

/// A route as the kernel tells it: with one entry for each next hop.
struct known_route {
  std::vector<route_info> hops;
};

/// Nothing for routes of other tables or families, and for cached ones.
/// @param table zero: any.
std::optional<known_route>
read_route(const nlmsghdr& message, ip_family family, uint32_t table);

netlink_message new_rule(const rule_info& x);
netlink_message remove_rule(const rule_info& x);
netlink_message ask_rules(ip_family family);
std::optional<rule_info> read_rule(const nlmsghdr& message);

netlink_message new_neighbour(const neighbour_info& x);
netlink_message remove_neighbour(const neighbour_info& x);

/// A dump; older kernels ignore `index`.
netlink_message ask_neighbours(int index);
netlink_message ask_neighbour(int index, const ip_address& address);

/// Nothing for an entry that is not permanent.
std::optional<neighbour_info> read_neighbour(const nlmsghdr& message);

/// Nothing for an entry that packets do not follow.
std::optional<neighbour_info> read_valid_neighbour(const nlmsghdr& message);

} // namespace troupe::netns
