#pragma once

#include "troupe/drivers/driver.hpp"

#include <memory>
#include <string>

namespace troupe::drivers {

/// The driver of networks whose driver this program does not have: records of
/// a newer version, or damaged ones. It builds nothing and touches nothing, and
/// says so; removing is done at once. So such records can be seen and removed
/// like all others.
std::unique_ptr<driver> make_unknown(std::string_view name);

/// Why nothing is built for a network of that driver. An empty name stands for
/// a network whose own record is missing or cannot be read.
error unknown_driver_error(std::string_view name);

} // namespace troupe::drivers
