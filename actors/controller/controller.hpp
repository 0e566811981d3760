#pragma once

#include "troupe/actors/core/context.hpp"

namespace troupe {

/// The root: spawns the services, rebuilds the objects at start-up, finds
/// objects by name and forwards, passes kernel events to whom they concern. It
/// decides nothing about the objects.
/// @note Takes the context over: the handles of the services are put into it.
controller_actor
spawn_controller(caf::actor_system& system, context_ptr context);

} // namespace troupe
