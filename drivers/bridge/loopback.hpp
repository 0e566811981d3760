#pragma once

#include "troupe/netns/kernel.hpp"

namespace troupe::drivers {

/// Turns IPv6 off again on the loopback of a namespace when the last interface
/// with IPv6 has left, if IPv6 is off there by default, as it is in the
/// namespaces we make. Elsewhere loopback is left as it is.
result<void> close_loopback(netns::kernel& inside);

} // namespace troupe::drivers
