#pragma once

#include "troupe/actors/core/context.hpp"

namespace troupe {

/// Where an endpoint comes from.
struct endpoint_origin {
  endpoint_spec spec; ///< Name, addresses and MAC are claimed.
  std::shared_ptr<const network_spec> network;
  network_actor owner;
  driver_actor driver;
};

/// One endpoint: its life cycle and the order of the steps of a join and a
/// leave. Ends when it is removed, after its network has released its name.
endpoint_actor spawn_endpoint(caf::actor_system& system, context_ptr context,
                              endpoint_origin origin);

} // namespace troupe
