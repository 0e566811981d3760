#pragma once

#include "troupe/drivers/driver.hpp"

#include <memory>
#include <string_view>

namespace troupe::drivers {

/// A driver of the given name whose one network has no kernel objects, no
/// addresses and no options: what `null` and `host` have in common.
std::unique_ptr<driver>
make_objectless(std::string_view name, const traits& features);

} // namespace troupe::drivers
