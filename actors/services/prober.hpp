#pragma once

#include "troupe/actors/core/context.hpp"

namespace troupe {

/// Sends packets along ways once, and ends.
/// @note Detached: it waits for answers, seconds if none come.
prober_actor spawn_prober(caf::actor_system& system, context_ptr context);

} // namespace troupe
