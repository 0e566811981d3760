#pragma once

#include "troupe/actors/context.hpp"

namespace troupe {

/// Numbers events and hands them to the subscribers, in order. Handlers run on
/// this actor's turn: they must not block.
events_actor spawn_events(caf::actor_system& system);

} // namespace troupe
