#pragma once

#include "troupe/config/model/address.hpp"
#include "troupe/config/model/error.hpp"

#include <cstdint>
#include <vector>

namespace troupe::netns {

/// A tracked connection that leads elsewhere than it was made to.
struct audit_connection {
  uint8_t proto = 0; ///< IANA's number.
  ip_address client;
  uint16_t client_port = 0;
  ip_address host; ///< What it was made to.
  uint16_t host_port = 0;
  ip_address server; ///< Who answers.
  uint16_t server_port = 0;
};

/// Reads the connections that are translated like that; like `read_audit` it
/// shares no code with `netlink_kernel`.
/// @thread_safety Any thread; the calling thread's namespace is the host's.
/// Errors: as of `read_audit`.
result<std::vector<audit_connection>> read_audit_connections();

} // namespace troupe::netns
