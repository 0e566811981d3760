#include "troupe/tools/adapter/names.hpp"

#include "troupe/config/model/id.hpp"

#include <algorithm>
#include <cstdint>

namespace troupe::adapter {

namespace {

// Room for a dot and the digest in a name of at most 128.
constexpr size_t kept_bytes = 90;

bool is_name_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
         || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
}

// Parts that cannot be read as others: each with its length in front.
std::string key_of(const attachment_id& x) {
  auto result = std::string{};
  for (const auto* part : {&x.runtime, &x.network, &x.container, &x.interface})
    result += std::to_string(part->size()) + ":" + *part;
  return result;
}

} // namespace

// FNV-1a with 128 bits: it need not withstand anybody, only spread.
std::string digest(std::string_view text) {
  constexpr auto prime
    = (static_cast<unsigned __int128>(0x0000000001000000) << 64U) | 0x13BU;
  auto hash = (static_cast<unsigned __int128>(0x6c62272e07bb0142) << 64U)
              | 0x62b821756295c58dU;
  for (auto c : text) {
    hash ^= static_cast<uint8_t>(c);
    hash *= prime;
  }
  constexpr auto digits = std::string_view{"0123456789abcdef"};
  auto result = std::string(32, '0');
  for (auto i = result.rbegin(); i != result.rend(); ++i, hash >>= 4U)
    *i = digits[static_cast<size_t>(hash & 0xFU)];
  return result;
}

std::string name_for(std::string_view text) {
  if (is_valid_name(text))
    return std::string{text};
  auto result = std::string{text.substr(0, kept_bytes)};
  std::ranges::replace_if(
    result,
    [](char c) {
      return !is_name_byte(c);
    },
    '_');
  if (!is_valid_name(result))
    result.insert(result.begin(), 'x');
  return result + "." + digest(text);
}

std::string sandbox_name(const attachment_id& x) {
  return name_for(x.runtime + "-" + x.container);
}

// An interface's name may have dots itself: then the last one no longer tells
// where it begins.
std::string endpoint_name(const attachment_id& x) {
  auto plain = x.container + "." + x.interface;
  if (x.interface.find('.') == std::string::npos && is_valid_name(plain))
    return plain;
  return name_for(x.container.substr(0, kept_bytes)) + "."
         + digest(x.container + "/" + x.interface);
}

std::string file_name(const attachment_id& x) {
  return digest(key_of(x));
}

} // namespace troupe::adapter
