#pragma once

#include "troupe/actors/core/context.hpp"

namespace troupe {

/// Spawns the FIREWALL actor on a thread of its own.
firewall_actor spawn_firewall(caf::actor_system& system, context_ptr context);

} // namespace troupe
