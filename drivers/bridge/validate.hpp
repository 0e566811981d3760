#pragma once

#include "troupe/config/model/endpoint.hpp"
#include "troupe/config/model/network.hpp"

namespace troupe::drivers {

/// Checks a bridge network: options, pools, gateways. Pure.
result<void> validate_bridge(const network_spec& network);

/// Checks an endpoint of a bridge network. Pure.
result<void> validate_bridge_endpoint(const network_spec& network,
                                      const endpoint_spec& endpoint);

/// Refuses two networks that share the bridge or addresses. Pure.
result<void>
check_bridge_conflict(const network_spec& wanted, const network_spec& existing);

} // namespace troupe::drivers
