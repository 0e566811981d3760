#pragma once

#include "troupe/netns/ports/port_sockets.hpp"

#include <optional>

namespace troupe::netns {

/// The process whose socket is in the way of one at this address: by the
/// kernel's list of sockets, then by the descriptors in /proc. Takes as long as
/// reading /proc does; for messages about a failure only. Empty if there is no
/// such socket; without a name if its process is not visible.
std::optional<port_user>
find_port_user(protocol proto, const ip_address& address, uint16_t port);

} // namespace troupe::netns
