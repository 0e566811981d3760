#include "troupe/config/model/address.hpp"
#include "troupe/config/model/id.hpp"
#include "troupe/config/model/random.hpp"

#include <algorithm>
#include <cstddef>

namespace troupe {

namespace {

constexpr auto digits = std::string_view{"0123456789abcdef"};

// `aa:bb:cc:dd:ee:ff`
constexpr size_t text_bytes = 17;

int digit_value(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  if (c >= 'A' && c <= 'F')
    return c - 'A' + 10;
  return -1;
}

} // namespace

result<mac_address> mac_address::parse(std::string_view text) {
  auto refuse = [&] {
    return fail(ec::invalid_argument,
                "parse mac address " + quoted(text)
                  + ": not six pairs of hex digits",
                "write it like 02:42:0a:01:00:05");
  };
  if (text.size() != text_bytes)
    return refuse();
  auto separator = text[2];
  if (separator != ':' && separator != '-')
    return refuse();
  auto result = mac_address{};
  for (size_t i = 0; i < result.bytes.size(); ++i) {
    auto high = digit_value(text[3 * i]);
    auto low = digit_value(text[3 * i + 1]);
    auto separated = i == 5 || text[3 * i + 2] == separator;
    if (high < 0 || low < 0 || !separated)
      return refuse();
    result.bytes[i] = static_cast<uint8_t>(high * 16 + low);
  }
  return result;
}

mac_address mac_address::from_ipv4(const ip_address& x) {
  auto result = mac_address{{0x02, 0x42}};
  std::copy_n(x.bytes().begin(), 4, result.bytes.begin() + 2);
  return result;
}

mac_address mac_address::from_ipv6(const ip_address& x) {
  auto hash = uint32_t{2166136261}; // FNV-1a
  for (auto byte : x.bytes())
    hash = (hash ^ byte) * 16777619;
  auto result = mac_address{{0x02, 0x42}};
  for (size_t i = 0; i < 4; ++i)
    result.bytes[i + 2] = static_cast<uint8_t>(hash >> (24 - 8 * i));
  return result;
}

mac_address mac_address::random() {
  auto result = mac_address{};
  fill_random(result.bytes);
  // Clears the multicast bit, sets the one for locally administered.
  result.bytes[0] = static_cast<uint8_t>((result.bytes[0] & 0xfcU) | 0x02U);
  return result;
}

std::string to_string(const mac_address& x) {
  auto result = std::string(text_bytes, ':');
  for (size_t i = 0; i < x.bytes.size(); ++i) {
    result[3 * i] = digits[x.bytes[i] >> 4U];
    result[3 * i + 1] = digits[x.bytes[i] & 15U];
  }
  return result;
}

} // namespace troupe
