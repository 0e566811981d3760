#pragma once

#include "troupe/actors/core/context.hpp"

namespace troupe {

/// Numbers events and hands them to the subscribers, in order. Handlers run on
/// this actor's turn: they must not block.
/// @param last number of the last event before the first one here.
events_actor spawn_events(caf::actor_system& system, uint64_t last);

} // namespace troupe
