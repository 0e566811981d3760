#pragma once

#include "troupe/actors/core/context.hpp"

namespace troupe {

/// Owns the claimed subnets of all networks: no two overlap. Works in memory;
/// rebuilt from the networks' records at start-up.
ipam_actor spawn_ipam(caf::actor_system& system, context_ptr context);

} // namespace troupe
