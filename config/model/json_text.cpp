#include "troupe/config/model/json_text.hpp"

#include <algorithm>

namespace troupe {

namespace {

// Stands for itself between quotes.
bool is_plain(char c) {
  return c >= ' ' && c <= '~' && c != '"' && c != '\\';
}

} // namespace

void append_json_string(std::string& out, std::string_view text) {
  if (!std::ranges::all_of(text, is_plain)) {
    out += dump(json(text));
    return;
  }
  out += '"';
  out += text;
  out += '"';
}

} // namespace troupe
