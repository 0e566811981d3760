#pragma once

#include "troupe/actors/remote.hpp"
#include "troupe/tools/troupe-remote/worker/channel.hpp"

#include <memory>

namespace troupe::tools::remote {

/// Spawns the actors of the remote interface; each passes its requests to the
/// front and holds nothing itself. @returns the door.
troupe::remote::door_actor
spawn_facade(caf::actor_system& system, const std::shared_ptr<channel>& front);

/// Adds the messages that a peer may send to a system's configuration. Those
/// between actors of the daemon are not among them.
void add_remote_messages(caf::actor_system_config& config);

} // namespace troupe::tools::remote
