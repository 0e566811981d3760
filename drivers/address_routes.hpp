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

/// Makes those again.
result<void>
restore_routes(netns::kernel& kernel, netns::undo_stack& undo, int index,
               std::span<const interface_address> addresses);

} // namespace troupe::drivers
