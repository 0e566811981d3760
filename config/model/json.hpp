#pragma once

// JSON of described structs. This is the only header that shows nlohmann's
// types; public headers (actors/troupe.hpp) do not include it.

#include "troupe/config/model/error.hpp"
#include "troupe/config/model/field.hpp"
#include "troupe/config/model/named.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

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

/// Parses text within the limits; duplicate keys, NUL bytes and invalid UTF-8
/// are refused. Errors: `invalid_argument` with line and column.
result<json> parse_json(std::string_view text, const json_limits& limits = {});

/// A place in a text, counted from 1; columns are bytes.
struct text_place {
  size_t line = 1;
  size_t column = 1;
};

/// Where the members and elements of a document were written, by their path,
/// e.g. `pools[0].size`.
using json_places = std::map<std::string, text_place>;

/// Like `parse_json`, for files a person edits: errors begin with
/// `name:line:column: `.
/// @param places filled if given.
result<json>
parse_json_file(std::string_view name, std::string_view text,
                const json_limits& limits, json_places* places = nullptr);

/// Compact text, or indented by so many spaces; invalid UTF-8 is replaced,
/// never thrown on.
std::string dump(const json& x, int indent = -1);

/// A type that JSON shows as text: ids, addresses.
template <class T>
concept text_type = requires(const T& x, std::string_view text) {
  { T::parse(text) } -> std::same_as<result<T>>;
  { to_string(x) } -> std::convertible_to<std::string>;
};

/// Where a reader is in a document: a chain of steps, on the stack, that
/// becomes text only when there is something to report.
struct json_place {
  enum class step_kind : uint8_t { root, member, key, element };

  const json_place* parent = nullptr;
  step_kind step = step_kind::root;
  std::string_view name; ///< Of a member, or a map's key.
  size_t index = 0;      ///< Of an element.
};

/// The path from the root, e.g. `spec.pools[0].subnet`; empty for the root.
std::string to_string(const json_place& x);

/// Turns JSON into values. Stops at the first thing it has to refuse.
class json_reader {
public:
  explicit json_reader(unknown_fields policy) : policy_{policy} {
  }

  /// @returns false after a refusal; `out` is then partly filled.
  template <class T>
  bool read(const json& x, T& out, const json_place& place = {});

  /// Path of what was refused: a member, or the unknown field itself.
  const std::string& culprit() const {
    return culprit_;
  }

  /// Why, without the path.
  const error& why() const {
    return why_;
  }

  /// `path: reason`, or the reason alone at the root.
  error failure() const;

private:
  template <described T>
  bool read_fields(const json& x, T& out, const json_place& place);

  bool read_bool(const json& x, bool& out, const json_place& place);
  bool read_string(const json& x, std::string& out, const json_place& place);
  bool read_signed(const json& x, int64_t min, int64_t max, int64_t& out,
                   const json_place& place);
  bool read_unsigned(const json& x, uint64_t max, uint64_t& out,
                     const json_place& place);
  bool read_name(const json& x, std::span<const std::string_view> names,
                 size_t& index, const json_place& place);
  bool is_array(const json& x, const json_place& place);
  bool is_object(const json& x, const json_place& place);
  bool refuse(const json_place& place, error why);
  bool refuse_unknown(const json& x, std::span<const std::string_view> known,
                      const json_place& place);

  unknown_fields policy_;
  std::string path_;    // As in the message: an unknown field's object.
  std::string culprit_; // Of the member or unknown field.
  error why_;
};

namespace detail {

/// What a member is besides a single value.
enum class json_shape : uint8_t { single, optional, array, map };

template <class T>
inline constexpr auto shape_of = json_shape::single;

template <class T>
inline constexpr auto shape_of<std::optional<T>> = json_shape::optional;

template <class T>
inline constexpr auto shape_of<std::vector<T>> = json_shape::array;

template <class T>
inline constexpr auto shape_of<std::map<std::string, T>> = json_shape::map;

/// A text type whose empty value is written as empty text: the ids.
template <class T>
concept may_be_empty = text_type<T> && requires(const T& x) {
  { x.empty() } -> std::same_as<bool>;
};

template <class T>
constexpr bool is_absent(const T& x) {
  if constexpr (shape_of<T> == json_shape::optional)
    return !x.has_value();
  else
    return false;
}

} // namespace detail

/// The value as JSON. Described structs become objects in which empty
/// optionals are left out; elsewhere an empty optional is `null`.
template <class T>
json to_json(const T& x) {
  using detail::json_shape;
  constexpr auto shape = detail::shape_of<T>;
  if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string>) {
    static_assert(!std::is_floating_point_v<T>, "no field needs fractions");
    return json(x);
  } else if constexpr (shape == json_shape::optional) {
    return x ? to_json(*x) : json(nullptr);
  } else if constexpr (shape == json_shape::array) {
    auto result = json::array_t{};
    result.reserve(x.size());
    for (const auto& element : x)
      result.push_back(to_json(element));
    return json(std::move(result));
  } else if constexpr (shape == json_shape::map) {
    auto result = json::object_t{};
    for (const auto& [key, value] : x)
      result.emplace_hint(result.end(), key, to_json(value));
    return json(std::move(result));
  } else if constexpr (text_type<T> || named_enum<T>) {
    return json(to_string(x));
  } else {
    static_assert(described<T>, "needs a field table");
    auto result = json::object_t{};
    for_each_field(x, [&](std::string_view name, const auto& member) {
      if (!detail::is_absent(member))
        result.emplace(name, to_json(member));
    });
    return json(std::move(result));
  }
}

/// The value of a document. Absent fields keep their defaults; `null` is an
/// empty optional and nothing else. Integers are exact and range-checked.
/// @param where put in front of the error's path, e.g. a file or a table key;
///              may be empty.
/// Errors: `invalid_argument`: `where: spec.pools[0].subnet: reason`, for an
/// unknown field with the nearest known one as the hint.
template <class T>
result<T>
from_json(const json& x, unknown_fields policy = unknown_fields::refuse,
          std::string_view where = {}) {
  auto reader = json_reader{policy};
  auto value = T{};
  if (reader.read(x, value))
    return value;
  if (where.empty())
    return fail(reader.failure());
  return fail(with_context(reader.failure(), where));
}

template <class T>
bool json_reader::read(const json& x, T& out, const json_place& place) {
  using detail::json_shape;
  constexpr auto shape = detail::shape_of<T>;
  using step_kind = json_place::step_kind;
  if constexpr (std::is_same_v<T, bool>) {
    return read_bool(x, out, place);
  } else if constexpr (std::is_same_v<T, std::string>) {
    return read_string(x, out, place);
  } else if constexpr (std::is_integral_v<T> && std::is_signed_v<T>) {
    using limits = std::numeric_limits<T>;
    auto value = int64_t{0};
    if (!read_signed(x, limits::min(), limits::max(), value, place))
      return false;
    out = static_cast<T>(value);
    return true;
  } else if constexpr (std::is_integral_v<T>) {
    auto value = uint64_t{0};
    if (!read_unsigned(x, std::numeric_limits<T>::max(), value, place))
      return false;
    out = static_cast<T>(value);
    return true;
  } else if constexpr (named_enum<T>) {
    auto index = size_t{0};
    if (!read_name(x, enum_names<T>, index, place))
      return false;
    out = static_cast<T>(index);
    return true;
  } else if constexpr (shape == json_shape::optional) {
    out.reset();
    return x.is_null() || read(x, out.emplace(), place);
  } else if constexpr (shape == json_shape::array) {
    if (!is_array(x, place))
      return false;
    out.clear();
    out.reserve(x.size());
    for (size_t i = 0; i < x.size(); ++i)
      if (!read(x[i], out.emplace_back(), {&place, step_kind::element, {}, i}))
        return false;
    return true;
  } else if constexpr (shape == json_shape::map) {
    if (!is_object(x, place))
      return false;
    out.clear();
    for (auto i = x.begin(); i != x.end(); ++i)
      if (!read(*i, out[i.key()], {&place, step_kind::key, i.key(), 0}))
        return false;
    return true;
  } else if constexpr (text_type<T>) {
    auto text = std::string{};
    if (!read_string(x, text, place))
      return false;
    if constexpr (detail::may_be_empty<T>) {
      if (text.empty()) {
        out = T{};
        return true;
      }
    }
    auto parsed = T::parse(text);
    if (!parsed)
      return refuse(place, std::move(parsed.error()));
    out = std::move(*parsed);
    return true;
  } else {
    static_assert(described<T>, "needs a field table");
    return read_fields(x, out, place);
  }
}

template <described T>
bool json_reader::read_fields(const json& x, T& out, const json_place& place) {
  if (!is_object(x, place))
    return false;
  auto ok = true;
  auto found = size_t{0};
  for_each_field(out, [&](std::string_view name, auto& member) {
    if (!ok)
      return;
    auto i = x.find(name);
    if (i == x.end())
      return;
    ++found;
    ok = read(*i, member, {&place, json_place::step_kind::member, name, 0});
  });
  if (!ok || found == x.size() || policy_ == unknown_fields::ignore)
    return ok;
  return std::apply(
    [&](const auto&... row) {
      auto known = std::array<std::string_view, sizeof...(row)>{row.name...};
      return refuse_unknown(x, known, place);
    },
    T::fields());
}

} // namespace troupe
