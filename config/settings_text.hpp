#pragma once

// Internal to config/: how settings are written in variables and flags.

#include "troupe/config/settings.hpp"

#include <string>
#include <string_view>

namespace troupe::detail {

/// Reads one setting from text. Integers are decimal; flags are `true` or
/// `false`; pools are `base=10.10.0.0/16,size=24`, several with `;` between.
/// Errors: `invalid_argument` with the reason alone.
result<void> read_text(std::string_view text, std::string& out);
result<void> read_text(std::string_view text, int& out);
result<void> read_text(std::string_view text, bool& out);
result<void>
read_text(std::string_view text, std::vector<address_pool_setting>& out);

/// Puts the place of a setting in front of a reason: `place: reason`, or
/// `place[0].size: reason` when the reason names a part.
error at(std::string_view place, error why);

} // namespace troupe::detail
