#pragma once

#include "troupe/config/model/error.hpp"
#include "troupe/config/model/field.hpp"

#include <compare>
#include <string>
#include <string_view>

namespace troupe {

/// 64 lower-case hex digits from the system's random source, as libnetwork's.
std::string random_hex_id();

/// True for exactly 64 lower-case hex digits.
bool is_hex_id(std::string_view text);

/// True for an object name: `[A-Za-z0-9][A-Za-z0-9_.-]{0,127}`.
bool is_valid_name(std::string_view text);

/// Refuses what `is_valid_name` refuses. The text is quoted, cut after 40
/// bytes and escaped in the message. @param kind e.g. "network".
result<void> check_name(std::string_view text, std::string_view kind);

/// True for text of printable UTF-8 characters only: no control characters, no
/// broken sequences. Empty text is.
bool is_printable(std::string_view text);

/// Quotes user text for a message: `"text"`, control bytes as `\xHH`, cut
/// after 40 bytes with an ellipsis.
std::string quoted(std::string_view text);

/// The same for strings. Without these overloads a call with a std::string
/// means std::quoted where <iomanip> is included: its template fits better.
inline std::string quoted(const std::string& text) {
  return quoted(std::string_view{text});
}
inline std::string quoted(std::string& text) {
  return quoted(std::string_view{text});
}
inline std::string quoted(const char* text) {
  return quoted(std::string_view{text});
}

/// The id of one kind of object. Distinct types, so that a network's id never
/// reaches a function that wants an endpoint's. Empty means "none".
template <class Tag>
struct basic_id {
  std::string value; ///< 64 hex digits, or empty.

  static basic_id random() {
    return {random_hex_id()};
  }

  /// Errors: `invalid_argument` unless 64 lower-case hex digits.
  static result<basic_id> parse(std::string_view text) {
    if (!is_hex_id(text))
      return fail(ec::invalid_argument,
                  "parse id " + quoted(text) + ": not 64 hex digits");
    return basic_id{std::string{text}};
  }

  bool empty() const {
    return value.empty();
  }

  /// The first 12 digits, as shown in tables and used in interface names.
  std::string brief() const {
    return value.substr(0, 12);
  }

  auto operator<=>(const basic_id&) const = default;
  bool operator==(const basic_id&) const = default;
};

template <class Tag>
std::string to_string(const basic_id<Tag>& x) {
  return x.value;
}

using network_id = basic_id<struct network_tag>;
using endpoint_id = basic_id<struct endpoint_tag>;
using sandbox_id = basic_id<struct sandbox_tag>;

} // namespace troupe
