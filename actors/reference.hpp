#pragma once

#include "troupe/config/model/error.hpp"
#include "troupe/config/model/id.hpp"

#include <map>
#include <string>
#include <string_view>

namespace troupe {

/// Finds an object by full id, else by name, else by unique id prefix (at least
/// one digit), in this order, as the Docker engine does.
/// @param names the name of each object by full id.
/// @param kind for messages, e.g. "network".
/// Errors: `invalid_argument` for empty text or an ambiguous prefix,
/// `not_found`.
result<std::string>
find_reference(const std::map<std::string, std::string>& names,
               std::string_view text, std::string_view kind);

} // namespace troupe
