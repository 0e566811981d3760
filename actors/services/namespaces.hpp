#pragma once

#include "troupe/actors/core/context.hpp"

namespace troupe {

/// Creates, pins, checks and removes namespaces and changes default routes in
/// them; also reads the kernel for the doctor.
/// @note Detached: opens the kernel on its own thread. If that fails, every
///       request is answered with the reason.
namespaces_actor
spawn_namespaces(caf::actor_system& system, context_ptr context);

} // namespace troupe
