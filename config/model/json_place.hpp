#pragma once

#include "troupe/config/model/json.hpp"

#include <string>
#include <string_view>

namespace troupe {

/// `file:line:column` of the innermost part of a path that is written down in
/// a file, e.g. of `pools` for `pools[0].size` when that is missing.
/// @param places as `parse_json_file` fills them.
std::string place_in_file(std::string_view file, std::string_view path,
                          const json_places& places);

} // namespace troupe
