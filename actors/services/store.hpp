#pragma once

#include "troupe/actors/core/context.hpp"

namespace troupe {

/// Owns both environments of the store. Everything that waits when a commit
/// starts goes into the same transaction; if that fails, each request is tried
/// alone, so that one that cannot succeed (a full disk) does not take others
/// along.
/// @note Detached: opens the files on its own thread. If that fails, every
///       request is answered with the reason.
store_actor spawn_store(caf::actor_system& system, context_ptr context);

} // namespace troupe
