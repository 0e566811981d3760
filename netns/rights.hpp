#pragma once

#include "troupe/config/model/error.hpp"

namespace troupe::netns {

/// Whether this process may change the network and the mounts around it.
/// Errors: `forbidden`, naming what is missing.
result<void> check_rights();

} // namespace troupe::netns
