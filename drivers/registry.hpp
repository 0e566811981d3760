#pragma once

#include "troupe/drivers/driver.hpp"

#include <memory>
#include <string_view>
#include <vector>

namespace troupe::drivers {

/// Names of all drivers, sorted. The list in registry.cpp is the only one.
std::vector<std::string_view> names();

/// @returns null for an unknown name.
std::unique_ptr<driver> make(std::string_view name, const instance& owner);

} // namespace troupe::drivers
