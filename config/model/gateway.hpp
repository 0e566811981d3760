#pragma once

#include "troupe/config/model/network.hpp"

namespace troupe {

/// The gateway that containers are told instead of the pool's: libnetwork's
/// reserved auxiliary names `DefaultGatewayIPv4` and `DefaultGatewayIPv6`.
/// @returns null if there is none.
const ip_address* container_gateway(const ipam_pool& pool);

/// Where containers send what is for nobody on their network: the container
/// gateway, else the pool's. @returns null if there is neither.
const ip_address* default_gateway(const ipam_pool& pool);

} // namespace troupe
