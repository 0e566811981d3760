#pragma once

#include "troupe/actors/core/context.hpp"

namespace troupe {

/// Where a network comes from.
struct network_origin {
  network_spec spec;
  driver_actor driver;
  /// False: recorded already; pools and gateways are decided.
  bool is_new = true;
  /// Endpoints of a recorded network, with their joins.
  std::vector<endpoint_spec> endpoints;
};

/// One network: its spec, its endpoints' names and its addresses. Spawns its
/// ENDPOINT actors; they tell it when they end.
network_actor spawn_network(caf::actor_system& system, context_ptr context,
                            network_origin origin);

} // namespace troupe
