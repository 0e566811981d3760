#pragma once

#include "troupe/drivers/driver.hpp"

#include <memory>

namespace troupe::drivers {

/// Sandboxes that use the host's own namespace. See README.md.
std::unique_ptr<driver> make_host(const instance& owner);

} // namespace troupe::drivers
