#pragma once

#include "troupe/netns/kernel.hpp"
#include "troupe/netns/undo_stack.hpp"

#include <span>
#include <string>
#include <vector>

/// Steps that bring one thing in the kernel to its wanted state.
///
/// Each looks first, does only what is missing, and pushes its inverse
/// *before* it acts: a request whose answer got lost may have been carried
/// out, and since the step knows what was there before, the inverse is right
/// whether the request took effect or not.
///
/// @note The kernel object must outlive the undo stack.
namespace troupe::drivers {

/// Changes what differs from `now`.
result<void>
change_link(netns::kernel& kernel, netns::undo_stack& undo,
            const netns::link_info& now, const netns::link_change& wanted);

/// Sets a bridge port's flags unless they are so already.
result<void>
change_port(netns::kernel& kernel, netns::undo_stack& undo, int index,
            const netns::port_flags& now, const netns::port_flags& wanted);

/// Adds the addresses that are missing. An address that is there with another
/// prefix length is replaced; other addresses stay.
result<void>
add_missing_addresses(netns::kernel& kernel, netns::undo_stack& undo, int index,
                      std::span<const interface_address> wanted);

/// The routes that the kernel made for these addresses of a link and that
/// somebody has deleted: to the address, to its subnet, to all groups (IPv6).
/// An on-link route of another protocol is as good.
result<std::vector<netns::route_info>>
lost_routes(netns::kernel& kernel, int index,
            std::span<const interface_address> addresses);

/// Adds them again. Comes last of all steps: nobody wants its inverse.
result<void> restore_routes(netns::kernel& kernel, int index,
                            std::span<const interface_address> addresses);

/// Makes `gateway` through `index` the default route of its family; another
/// one of the same metric is replaced, for there can be only one.
result<void>
change_default_route(netns::kernel& kernel, netns::undo_stack& undo, int index,
                     const ip_address& gateway);

/// Sets a sysctl unless it has the value.
result<void>
change_sysctl(netns::kernel& kernel, netns::undo_stack& undo, netns::sysctl key,
              const std::string& interface, int value);

/// True for an error that says that the object is not there.
bool is_missing(const error& why);

/// The wanted addresses that are not among `present`.
std::vector<interface_address>
missing_addresses(std::span<const interface_address> present,
                  std::span<const interface_address> wanted);

/// True if one of them is the default route through `index` to `gateway`.
bool has_default_route(std::span<const netns::route_info> routes, int index,
                       const ip_address& gateway);

} // namespace troupe::drivers
