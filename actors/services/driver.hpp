#pragma once

#include "troupe/actors/core/context.hpp"

namespace troupe {

/// Hosts one driver on its own thread. Razes that arrive close together are
/// one bulk deletion; one that fails is tried again later, since the store has
/// forgotten the endpoint already.
/// @note Detached: opens the kernel on its own thread. If that fails, every
///       request is answered with the reason.
driver_actor spawn_driver(caf::actor_system& system, context_ptr context,
                          std::string driver_name);

} // namespace troupe
