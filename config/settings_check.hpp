#pragma once

// Internal to config/: the rules that settings obey.

#include "troupe/config/settings.hpp"

#include <string_view>

namespace troupe::detail {

/// Checks and normalises the setting of this key.
/// Errors: `invalid_argument` with the reason alone, after `[0].size: ` and
/// the like for a part of the value.
result<void> check_setting(std::string_view key, settings& x);

/// Checks what involves more than one setting.
result<void> check_together(const settings& x);

} // namespace troupe::detail
