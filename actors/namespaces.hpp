#pragma once

#include "troupe/actors/context.hpp"

namespace troupe {

struct namespaces_state;

/// Creates, pins, checks and removes namespaces and changes default routes in
/// them; also reads the kernel for the doctor.
/// @note Detached: opens the kernel on its own thread. If that fails, every
///       request is answered with the reason.
namespaces_actor::behavior_type
namespaces(namespaces_actor::stateful_pointer<namespaces_state> self,
           context_ptr context);

} // namespace troupe
