#pragma once

#include "troupe/actors/context.hpp"

namespace troupe {

struct ipam_state;

/// Owns the claimed subnets of all networks: no two overlap. Works in memory;
/// rebuilt from the networks' records at start-up.
ipam_actor::behavior_type
ipam(ipam_actor::stateful_pointer<ipam_state> self, context_ptr context);

} // namespace troupe
