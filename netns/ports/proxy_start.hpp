#pragma once

#include "troupe/netns/ports/proxy_client.hpp"

namespace troupe::netns {

/// Starts the proxy as nobody's child, in a session of its own and with no
/// descriptor of ours, and waits until it listens. One that runs already is
/// fine. Errors: `unavailable` with the reason that it gave.
result<void> start_proxy(const proxy_settings& settings);

} // namespace troupe::netns
