#pragma once

#include "troupe/actors/core/context.hpp"

namespace troupe {

/// Spawns the auditor of one system.
auditor_actor spawn_auditor(caf::actor_system& system, context_ptr context);

} // namespace troupe
