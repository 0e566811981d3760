#pragma once

#include "troupe/drivers/driver.hpp"

#include <memory>

namespace troupe::drivers {

/// Networks as Linux bridges, endpoints as veth pairs. See README.md.
std::unique_ptr<driver> make_bridge(const instance& owner);

} // namespace troupe::drivers
