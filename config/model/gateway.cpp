#include "troupe/config/model/gateway.hpp"

namespace troupe {

const ip_address* container_gateway(const ipam_pool& pool) {
  if (!pool.subnet)
    return nullptr;
  auto is_v4 = pool.subnet->family() == ip_family::v4;
  auto i = pool.aux_addresses.find(is_v4 ? "DefaultGatewayIPv4"
                                         : "DefaultGatewayIPv6");
  return i == pool.aux_addresses.end() ? nullptr : &i->second;
}

const ip_address* default_gateway(const ipam_pool& pool) {
  if (const auto* other = container_gateway(pool))
    return other;
  return pool.gateway ? &*pool.gateway : nullptr;
}

} // namespace troupe
