#pragma once

#include "troupe/drivers/driver.hpp"

#include <memory>

namespace troupe::drivers {

/// Sandboxes with nothing but loopback. See README.md.
std::unique_ptr<driver> make_null(const instance& owner);

} // namespace troupe::drivers
