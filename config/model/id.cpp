#include "troupe/config/model/id.hpp"

#include "troupe/config/model/random.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace troupe {

namespace {

constexpr auto digits = std::string_view{"0123456789abcdef"};
constexpr size_t id_bytes = 32;
constexpr size_t max_name_bytes = 128;
constexpr size_t max_quoted_bytes = 40;

constexpr auto name_rule = std::string_view{
  "use letters, digits, \"_\", \".\" and \"-\", first a letter or digit, at "
  "most 128"};

// Not std::isalnum: names must not depend on the locale.
constexpr bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
         || (c >= '0' && c <= '9');
}

constexpr bool is_name_character(char c) {
  return is_alphanumeric(c) || c == '_' || c == '.' || c == '-';
}

bool is_continuation(char c) {
  return (static_cast<uint8_t>(c) & 0xc0U) == 0x80U;
}

// Bytes of the printable UTF-8 character that starts the text; 0 if there is
// none: control characters, broken, overlong or surrogate sequences.
size_t printable_length(std::string_view text) {
  auto lead = static_cast<uint8_t>(text[0]);
  if (lead < 0x80)
    return lead >= 0x20 && lead != 0x7f ? 1 : 0;
  auto length = size_t{0};
  auto lowest = uint32_t{0};
  auto point = uint32_t{0};
  if (lead >= 0xc2 && lead <= 0xdf)
    length = 2, lowest = 0xa0, point = lead & 0x1fU;
  else if (lead >= 0xe0 && lead <= 0xef)
    length = 3, lowest = 0x800, point = lead & 0x0fU;
  else if (lead >= 0xf0 && lead <= 0xf4)
    length = 4, lowest = 0x10000, point = lead & 0x07U;
  if (length == 0 || text.size() < length)
    return 0;
  for (size_t i = 1; i < length; ++i) {
    if (!is_continuation(text[i]))
      return 0;
    point = (point << 6U) | (static_cast<uint8_t>(text[i]) & 0x3fU);
  }
  auto surrogate = point >= 0xd800 && point <= 0xdfff;
  return point < lowest || surrogate || point > 0x10ffff ? 0 : length;
}

void append_escaped(std::string& out, char c) {
  auto byte = static_cast<uint8_t>(c);
  out += "\\x";
  out += digits[byte >> 4U];
  out += digits[byte & 15U];
}

// The character at this position, quoted.
std::string first_character(std::string_view text,
                            std::string_view::const_iterator position) {
  auto rest = text.substr(static_cast<size_t>(position - text.begin()));
  return quoted(rest.substr(0, std::max<size_t>(1, printable_length(rest))));
}

} // namespace

std::string random_hex_id() {
  auto bytes = std::array<uint8_t, id_bytes>{};
  fill_random(bytes);
  auto result = std::string(2 * id_bytes, '0');
  for (size_t i = 0; i < id_bytes; ++i) {
    result[2 * i] = digits[bytes[i] >> 4U];
    result[2 * i + 1] = digits[bytes[i] & 15U];
  }
  return result;
}

bool is_hex_id(std::string_view text) {
  return text.size() == 2 * id_bytes
         && std::all_of(text.begin(), text.end(), [](char c) {
              return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
            });
}

bool is_valid_name(std::string_view text) {
  return !text.empty() && text.size() <= max_name_bytes
         && is_alphanumeric(text[0])
         && std::all_of(text.begin(), text.end(), is_name_character);
}

result<void> check_name(std::string_view text, std::string_view kind) {
  if (is_valid_name(text))
    return {};
  auto reason = std::string{"must start with a letter or digit"};
  auto bad = std::find_if_not(text.begin(), text.end(), is_name_character);
  if (text.empty())
    reason = "is empty";
  else if (text.size() > max_name_bytes)
    reason = "has " + std::to_string(text.size()) + " bytes, at most "
             + std::to_string(max_name_bytes);
  else if (bad != text.end())
    reason = "must not contain " + first_character(text, bad);
  return fail(ec::invalid_argument,
              std::string{kind} + " name " + quoted(text) + ": " + reason,
              std::string{name_rule});
}

bool is_printable(std::string_view text) {
  while (!text.empty()) {
    auto length = printable_length(text);
    if (length == 0)
      return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string quoted(std::string_view text) {
  auto result = std::string{'"'};
  auto rest = text;
  auto shown = size_t{0};
  while (!rest.empty()) {
    auto length = printable_length(rest);
    auto step = std::max<size_t>(1, length);
    if (shown + step > max_quoted_bytes)
      break;
    if (length == 0)
      append_escaped(result, rest[0]);
    else if (rest[0] == '"' || rest[0] == '\\')
      result += {'\\', rest[0]};
    else
      result += rest.substr(0, length);
    shown += step;
    rest.remove_prefix(step);
  }
  result += rest.empty() ? "\"" : "…\"";
  return result;
}

} // namespace troupe
