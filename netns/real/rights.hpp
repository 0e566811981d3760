#pragma once

#include "troupe/config/model/error.hpp"

namespace troupe::netns {

/// Whether this process may change the network and the mounts around it.
/// Errors: `forbidden`, naming what is missing.
result<void> check_rights();

/// May it tell neighbours who has an address (CAP_NET_RAW)? Without that all
/// else works. Errors: `forbidden`.
result<void> check_announcing();

} // namespace troupe::netns
