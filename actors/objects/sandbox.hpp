#pragma once

#include "troupe/actors/core/context.hpp"

namespace troupe {

/// Where a sandbox comes from.
struct sandbox_origin {
  sandbox_spec spec;
  /// The pin of a recorded sandbox; empty for a new one.
  netns::namespace_ref ns;
  /// The pin's namespace is new; the record may still name the one before.
  bool remade = false;
};

/// One sandbox: its namespace, the order of its endpoints, their interface
/// names and the choice of the gateways. Joins, leaves and removal take turns.
sandbox_actor spawn_sandbox(caf::actor_system& system, context_ptr context,
                            sandbox_origin origin);

} // namespace troupe
