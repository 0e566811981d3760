#include "troupe/config/model/text.hpp"

#include <algorithm>
#include <string>

namespace troupe {

namespace {

constexpr size_t max_key_bytes = 256;
constexpr size_t max_value_bytes = 64 * 1024;
constexpr size_t max_part_bytes = 63;

tl::unexpected<error> refuse(std::string_view what, std::string_view text,
                             const std::string& reason, std::string hint = {}) {
  return fail(ec::invalid_argument,
              std::string{what} + " " + quoted(text) + ": " + reason,
              std::move(hint));
}

result<void>
check_length(std::string_view text, std::string_view what, size_t max_bytes) {
  if (text.size() <= max_bytes)
    return {};
  return refuse(what, text,
                "has " + std::to_string(text.size()) + " bytes, at most "
                  + std::to_string(max_bytes));
}

bool is_host_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
         || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

bool is_part(std::string_view x) {
  return !x.empty() && x.size() <= max_part_bytes && x.front() != '-'
         && x.back() != '-' && std::ranges::all_of(x, is_host_name_character);
}

} // namespace

result<void>
check_text(std::string_view text, std::string_view what, size_t max_bytes) {
  if (auto ok = check_length(text, what, max_bytes); !ok)
    return ok;
  if (!is_printable(text))
    return refuse(what, text,
                  "holds a control character or is not valid UTF-8");
  return {};
}

result<void> check_text_map(const text_map& x, std::string_view kind) {
  for (const auto& [key, value] : x) {
    if (key.empty())
      return fail(ec::invalid_argument, std::string{kind} + ": empty key");
    if (auto ok = check_text(key, kind, max_key_bytes); !ok)
      return ok;
    auto what = std::string{kind} + " " + quoted(key) + ": value";
    if (auto ok = check_text(value, what, max_value_bytes); !ok)
      return ok;
  }
  return {};
}

result<void> check_host_name(std::string_view text, std::string_view what,
                             size_t max_bytes) {
  if (text.empty())
    return {};
  if (auto ok = check_length(text, what, max_bytes); !ok)
    return ok;
  auto rest = text;
  if (rest.ends_with('.'))
    rest.remove_suffix(1); // The root of DNS may be spelled out.
  for (;;) {
    auto dot = rest.find('.');
    if (!is_part(rest.substr(0, dot)))
      return refuse(what, text, "is no host name",
                    "use letters, digits, \"-\" and \"_\" with dots between "
                    "parts of at most 63");
    if (dot == std::string_view::npos)
      return {};
    rest.remove_prefix(dot + 1);
  }
}

} // namespace troupe
