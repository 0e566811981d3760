#pragma once

#include "troupe/actors/core/context.hpp"

namespace troupe {

/// Takes requests of any thread into the actor system: sends each to the
/// controller and calls its handler with the reply, once.
door_actor spawn_door(caf::actor_system& system, controller_actor controller);

} // namespace troupe
