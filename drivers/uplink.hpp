#pragma once

#include "troupe/netns/kernel.hpp"

#include <cstdint>

namespace troupe::drivers {

/// The MTU of the link that the host's packets to the world leave by, that of
/// the best default route; with both families the smaller one. 0: there is no
/// default route.
result<uint32_t> uplink_mtu(netns::kernel& kernel);

} // namespace troupe::drivers
