#pragma once

#include "troupe/drivers/driver.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::drivers {

/// Names of all drivers, sorted. The list in registry.cpp is the only one.
std::vector<std::string_view> names();

/// Is it one of those?
bool is_known(std::string_view name);

/// Never null: for an unknown name the driver of unknown.hpp.
std::unique_ptr<driver> make(std::string_view name, const instance& owner);

/// The name of the driver that serves networks of driver `name`: the same, or
/// empty for all that are unknown.
std::string served_by(std::string_view name);

} // namespace troupe::drivers
