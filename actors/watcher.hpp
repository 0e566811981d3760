#pragma once

#include "troupe/actors/context.hpp"

namespace troupe {

/// Waits for kernel events and passes them on to the controller, those of
/// 100 ms together. Ends when the kernel's events cannot be opened; the regular
/// comparison goes on without it.
/// @note Detached.
watcher_actor spawn_watcher(caf::actor_system& system, context_ptr context,
                            controller_actor controller);

} // namespace troupe
