#pragma once

#include "troupe/drivers/bridge/wanted.hpp"
#include "troupe/drivers/steps.hpp"
#include "troupe/netns/undo_stack.hpp"

namespace troupe::drivers {

/// Could `use_host_bridge` work? Reads only. Errors: as there.
result<void>
check_host_bridge(netns::kernel& kernel, const instance& owner,
                  const netns::link_info& bridge, const wanted_bridge& wanted);

/// Takes a bridge of the user's into use: writes our mark into its alias,
/// raises it, adds the gateway addresses that are missing, and for IPv6 a
/// link-local one if it has none. Its MTU, MAC, ports and other addresses stay
/// as they are. Errors: `forbidden` when the alias has no room for the mark, or
/// its MTU is too small for the IPv6 of the network; then, if asked to go on,
/// all else is done.
result<void>
use_host_bridge(netns::kernel& kernel, netns::undo_stack& undo,
                const instance& owner, const netns::link_info& bridge,
                wanted_bridge wanted, step_sequence::after_failure on_failure);

/// Takes back what the mark on the bridge lists, and the mark. What others
/// have come to rely on stays: the bridge is not lowered while it has ports,
/// IPv6 not switched off while there are addresses. All or nothing; done if
/// there is no mark.
result<void> release_host_bridge(netns::kernel& kernel, const instance& owner,
                                 const netns::link_info& bridge);

} // namespace troupe::drivers
