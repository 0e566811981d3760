#pragma once

#include "troupe/drivers/bridge/wanted.hpp"
#include "troupe/netns/undo_stack.hpp"

#include <optional>
#include <string>
#include <vector>

namespace troupe::drivers {

/// A bridge that serves one network: ours, or the user's with our mark on it.
struct found_bridge {
  netns::link_info link;
  bool is_ours = false; ///< Made by us; else marked.
};

/// The bridge that carries this network's tag or mark, under its own name or,
/// if somebody renamed it, under another.
result<std::optional<found_bridge>>
find_bridge(netns::kernel& kernel, const instance& owner,
            const wanted_bridge& wanted);

/// Could `create_bridge` work? Reads only. Errors: `conflict` when the name is
/// taken; `forbidden`.
result<void> check_bridge_place(netns::kernel& kernel, const instance& owner,
                                const wanted_bridge& wanted);

/// Makes or mends the network's bridge; takes the user's own into use when the
/// user named it. What is new is made whole or not at all; of one that is there
/// everything is mended that can be. Errors: `conflict` when the name is taken.
result<void> create_bridge(netns::kernel& kernel, const instance& owner,
                           const wanted_bridge& wanted);

/// Deletes our bridge, gives back the user's. Done if there is none.
result<void> remove_bridge(netns::kernel& kernel, const instance& owner,
                           const wanted_bridge& wanted);

/// Does the host forward IPv4, but not what comes from this bridge?
/// @param name The bridge's present one.
result<bool> lacks_forwarding(netns::kernel& kernel, const std::string& name,
                              const wanted_bridge& wanted);

/// How the bridge differs, one line each.
result<std::vector<std::string>>
inspect_bridge(netns::kernel& kernel, const instance& owner,
               const wanted_bridge& wanted);

} // namespace troupe::drivers
