#pragma once

// JSON of described structs. This is the only header that shows nlohmann's
// types; public headers (actors/troupe.hpp) do not include it.

#include "troupe/config/model/error.hpp"
#include "troupe/config/model/field.hpp"

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>

namespace troupe {

using json = nlohmann::json;

/// What to do with a field that the struct does not have.
enum class unknown_fields : uint8_t {
  refuse, ///< Requests and settings: an error naming the nearest known field.
  ignore, ///< Records of a newer version.
};

/// Bounds on text from outside, checked before anything is built.
struct json_limits {
  size_t max_bytes = 1 << 20;
  size_t max_depth = 32;
  bool allow_comments = false;
};

/// Parses text within the limits; duplicate keys and invalid UTF-8 are
/// refused. Errors: `invalid_argument` with line and column.
result<json> parse_json(std::string_view text, const json_limits& limits = {});

/// Compact text; invalid UTF-8 is replaced, never thrown on.
std::string dump(const json& x, int indent = -1);

// to_json(const T&) -> json and
// from_json<T>(const json&, unknown_fields, where) -> result<T>
// are added below for: bool, integers (range-checked, `1.5`, `true` and `-1`
// are not uint16_t), strings, optional (null or absent), vectors, string maps,
// types with a static parse(text) and to_string (ids, addresses), and described
// structs (absent fields keep their default).

} // namespace troupe
