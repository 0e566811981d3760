#pragma once

#include "troupe/actors/context.hpp"

namespace troupe {

struct events_state;

/// Numbers events and hands them to the subscribers, in order. Handlers run on
/// this actor's turn: they must not block.
events_actor::behavior_type
events(events_actor::stateful_pointer<events_state> self);

} // namespace troupe
