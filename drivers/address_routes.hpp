#pragma once

#include "troupe/netns/kernel.hpp"
#include "troupe/netns/undo_stack.hpp"

#include <span>
#include <vector>

/// The routes that the kernel makes for addresses of a link that is up, and
/// that anybody may delete: without them an address is there and dead.
namespace troupe::drivers {

/// To the address, to its subnet, to all of the subnet (IPv4), to all groups
/// (IPv6). Pure.
std::vector<netns::route_info>
address_routes(int index, std::span<const interface_address> addresses);

/// Those that are not there.
result<std::vector<netns::route_info>>
lost_routes(netns::kernel& kernel, int index,
            std::span<const interface_address> addresses);

/// Is the address there? Link-local ones are told by their route alone. Pure.
bool is_present(std::span<const netns::route_info> routes,
                const interface_address& address);

/// Does the link have any IPv6 link-local address? Pure.
bool has_link_local(std::span<const netns::route_info> routes);

/// Adds a link-local address unless it is there: the kernel makes it by itself,
/// but once. Without it the kernel asks for no IPv6 neighbour of a packet that
/// it forwards.
result<void> add_link_local(netns::kernel& kernel, netns::undo_stack& undo,
                            int index, const interface_address& x);

/// Removes one that was made of another MAC address, if it is there.
result<void> drop_link_local(netns::kernel& kernel, netns::undo_stack& undo,
                             int index, const interface_address& x);

/// Makes those again.
result<void>
restore_routes(netns::kernel& kernel, netns::undo_stack& undo, int index,
               std::span<const interface_address> addresses);

} // namespace troupe::drivers
