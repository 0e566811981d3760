#include "troupe/netns/names.hpp"

#include <algorithm>

#include <net/if.h>

namespace troupe::netns {

namespace {

// File names end here on every file system of Linux.
constexpr auto longest_file_name = size_t{255};

bool is_dots(std::string_view text) {
  return text == "." || text == "..";
}

} // namespace

bool is_interface_name(std::string_view text) {
  auto allowed = [](char c) {
    return c > ' ' && c < '\x7f' && c != '/' && c != ':' && c != '%';
  };
  return !text.empty() && text.size() < IFNAMSIZ && !is_dots(text)
         && std::ranges::all_of(text, allowed);
}

bool is_pin_name(std::string_view text) {
  auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
           || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
  };
  return !text.empty() && text.size() <= longest_file_name && !is_dots(text)
         && std::ranges::all_of(text, allowed);
}

} // namespace troupe::netns
