#pragma once

#include "troupe/netns/ports/port_proxy.hpp"

#include <memory>
#include <string>

namespace troupe::netns {

/// Where the proxy is, and how it is started.
struct proxy_settings {
  std::string run_dir;               ///< Holds its socket and its lock.
  std::string program;               ///< Path of `troupe-proxy`.
  std::string user = "troupe-proxy"; ///< If there is none: `nobody`.
  int idle_s = 30;         ///< It ends after holding nothing for so long.
  int patience_ms = 5'000; ///< For its start, and for each answer.
};

/// Speaks to the one `troupe-proxy` of a run directory; `add` and `remove`
/// start it, in a session of its own, when it is not there. A call that finds
/// it dead starts it anew and asks again once; ports that it lost are not taken
/// again by this class. Errors: `unavailable` (it cannot be started, with its
/// own reason; it does not answer), `not_found` (a new target for a port that
/// it does not have).
std::unique_ptr<port_proxy> make_proxy_client(proxy_settings settings);

} // namespace troupe::netns
