#pragma once

#include "troupe/actors/context.hpp"

namespace troupe {

struct watcher_state;

/// Waits for kernel events and passes them on to the controller, those of
/// 100 ms together. Ends when the kernel's events cannot be opened; the regular
/// comparison goes on without it.
/// @note Detached.
watcher_actor::behavior_type
watcher(watcher_actor::stateful_pointer<watcher_state> self,
        context_ptr context, controller_actor controller);

} // namespace troupe
