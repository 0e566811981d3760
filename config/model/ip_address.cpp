#include "troupe/config/model/address.hpp"
#include "troupe/config/model/id.hpp"

#include <algorithm>
#include <cassert>
#include <cstddef>

#include <arpa/inet.h>

namespace troupe {

namespace {

constexpr size_t v4_bytes = 4;
constexpr size_t v6_bytes = 16;
constexpr size_t groups = 8;

bool is_v4_mapped(const std::array<uint8_t, 16>& bytes) {
  return std::all_of(bytes.begin(), bytes.begin() + 10,
                     [](uint8_t byte) {
                       return byte == 0;
                     })
         && bytes[10] == 0xff && bytes[11] == 0xff;
}

void append_v4(std::string& out, const uint8_t* bytes) {
  for (size_t i = 0; i < v4_bytes; ++i) {
    if (i > 0)
      out += '.';
    out += std::to_string(bytes[i]);
  }
}

void append_hex(std::string& out, uint16_t group) {
  constexpr auto digits = std::string_view{"0123456789abcdef"};
  auto started = false;
  for (auto shift = 12; shift >= 0; shift -= 4) {
    auto digit = (static_cast<uint32_t>(group) >> shift) & 15U;
    started = started || digit != 0 || shift == 0;
    if (started)
      out += digits[digit];
  }
}

struct run {
  size_t begin = groups;
  size_t length = 0;
};

// The groups `::` stands for: the first of the longest runs of zeros, at least
// two (RFC 5952, section 4.2).
run longest_zero_run(const std::array<uint16_t, groups>& xs) {
  auto result = run{};
  for (size_t i = 0; i < groups; ++i) {
    auto end = i;
    while (end < groups && xs[end] == 0)
      ++end;
    if (end - i >= 2 && end - i > result.length)
      result = {i, end - i};
    i = end;
  }
  return result;
}

// inet_ntop is not used: it writes ::/96 addresses with a dotted tail, which
// RFC 5952 keeps for the prefixes known to embed IPv4.
std::string v6_text(const std::array<uint8_t, 16>& bytes) {
  auto result = std::string{};
  if (is_v4_mapped(bytes)) {
    result = "::ffff:";
    append_v4(result, bytes.data() + 12);
    return result;
  }
  auto xs = std::array<uint16_t, groups>{};
  for (size_t i = 0; i < groups; ++i)
    xs[i] = static_cast<uint16_t>((bytes[2 * i] << 8) | bytes[2 * i + 1]);
  auto zeros = longest_zero_run(xs);
  for (size_t i = 0; i < groups; ++i) {
    if (i == zeros.begin) {
      result += "::";
      i += zeros.length - 1;
      continue;
    }
    if (i > 0 && result.back() != ':')
      result += ':';
    append_hex(result, xs[i]);
  }
  return result;
}

error not_an_address(std::string_view text) {
  auto reason = std::string_view{"not an IPv4 or IPv6 address"};
  auto hint = std::string{};
  if (text.empty())
    reason = "is empty";
  else if (text.find('%') != std::string_view::npos)
    hint = "leave out the zone";
  else if (text.find('/') != std::string_view::npos)
    hint = "give an address without a length";
  return {ec::invalid_argument,
          "parse address " + quoted(text) + ": " + std::string{reason},
          std::move(hint), 0};
}

} // namespace

ip_address ip_address::from_number(ip_family family, uint128 value) {
  auto result = ip_address{};
  result.family_ = family;
  auto n = family == ip_family::v4 ? v4_bytes : v6_bytes;
  for (auto i = n; i > 0; --i) {
    result.bytes_[i - 1] = static_cast<uint8_t>(value);
    value >>= 8U;
  }
  assert(value == 0);
  return result;
}

ip_address ip_address::from_bytes(ip_family family, const uint8_t* bytes) {
  auto result = ip_address{};
  result.family_ = family;
  auto n = family == ip_family::v4 ? v4_bytes : v6_bytes;
  std::copy_n(bytes, n, result.bytes_.begin());
  return result;
}

result<ip_address> ip_address::parse(std::string_view text) {
  // inet_pton wants a terminated string, and must not stop at a NUL inside.
  auto buffer = std::array<char, INET6_ADDRSTRLEN + 1>{};
  if (text.size() >= buffer.size() || text.find('\0') != std::string_view::npos)
    return fail(not_an_address(text));
  std::copy(text.begin(), text.end(), buffer.begin());
  auto bytes = std::array<uint8_t, 16>{};
  if (inet_pton(AF_INET, buffer.data(), bytes.data()) == 1)
    return from_bytes(ip_family::v4, bytes.data());
  if (inet_pton(AF_INET6, buffer.data(), bytes.data()) != 1)
    return fail(not_an_address(text));
  if (is_v4_mapped(bytes))
    return from_bytes(ip_family::v4, bytes.data() + 12);
  return from_bytes(ip_family::v6, bytes.data());
}

uint128 ip_address::number() const {
  auto n = is_v4() ? v4_bytes : v6_bytes;
  auto result = uint128{0};
  for (size_t i = 0; i < n; ++i)
    result = (result << 8U) | bytes_[i];
  return result;
}

bool ip_address::is_unspecified() const {
  return number() == 0;
}

bool ip_address::is_loopback() const {
  return is_v4() ? bytes_[0] == 127 : number() == 1;
}

bool ip_address::is_multicast() const {
  return is_v4() ? (bytes_[0] & 0xf0U) == 0xe0 : bytes_[0] == 0xff;
}

bool ip_address::is_link_local() const {
  return is_v4() ? bytes_[0] == 169 && bytes_[1] == 254
                 : bytes_[0] == 0xfe && (bytes_[1] & 0xc0U) == 0x80;
}

std::string to_string(const ip_address& x) {
  if (x.is_v6())
    return v6_text(x.bytes());
  auto result = std::string{};
  append_v4(result, x.bytes().data());
  return result;
}

} // namespace troupe
