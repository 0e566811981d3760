#pragma once

#include "troupe/config/model/error.hpp"

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace troupe {

enum class ip_family : uint8_t { v4, v6 };

/// 128-bit arithmetic for addresses; an IPv4 address uses the low 32 bits.
using uint128 = unsigned __int128;

/// An IPv4 or IPv6 address. IPv4-mapped IPv6 text (`::ffff:10.0.0.1`) parses
/// to IPv4, as libnetwork treats it. Ordered: IPv4 before IPv6, then by value.
class ip_address {
public:
  /// `0.0.0.0`.
  constexpr ip_address() = default;

  /// @pre `value` fits the family.
  static ip_address from_number(ip_family family, uint128 value);

  /// @param bytes network order, 4 or 16 of them. @pre the size is right.
  static ip_address from_bytes(ip_family family, const uint8_t* bytes);

  /// Dotted quad (four decimal parts, no leading zeros) or RFC 4291 text; no
  /// zone. Errors: `invalid_argument`.
  static result<ip_address> parse(std::string_view text);

  ip_family family() const {
    return family_;
  }
  bool is_v4() const {
    return family_ == ip_family::v4;
  }
  bool is_v6() const {
    return family_ == ip_family::v6;
  }

  /// 32 or 128.
  uint8_t bits() const {
    return is_v4() ? 32 : 128;
  }

  uint128 number() const;

  /// Network order; the first 4 bytes count for IPv4.
  const std::array<uint8_t, 16>& bytes() const {
    return bytes_;
  }

  bool is_unspecified() const;
  bool is_loopback() const;
  bool is_multicast() const;
  bool is_link_local() const;

  auto operator<=>(const ip_address&) const = default;
  bool operator==(const ip_address&) const = default;

private:
  ip_family family_ = ip_family::v4;
  std::array<uint8_t, 16> bytes_{};
};

/// RFC 5952: lower case, longest zero run shortened; IPv4 as dotted quad.
std::string to_string(const ip_address& x);

/// A subnet: a network address and a length, host bits zero. Ordered by
/// address, then by length.
class prefix {
public:
  /// `0.0.0.0/0`.
  constexpr prefix() = default;

  /// Clears the host bits. @pre `length <= address.bits()`.
  prefix(const ip_address& address, uint8_t length);

  /// `10.1.0.0/16`, `fd00::/64`. Host bits that are set are refused with the
  /// cleared form as the hint. Errors: `invalid_argument`.
  static result<prefix> parse(std::string_view text);

  const ip_address& address() const {
    return address_;
  }
  uint8_t length() const {
    return length_;
  }
  ip_family family() const {
    return address_.family();
  }

  ip_address first() const {
    return address_;
  }
  /// The last address; for IPv4 up to /30 the broadcast address.
  ip_address last() const;

  /// Number of addresses; 0 stands for 2^128.
  uint128 size() const;

  /// The n-th address of the subnet. @pre `n < size()`.
  ip_address at(uint128 n) const;

  /// Inverse of `at`. @pre `contains(x)`.
  uint128 index_of(const ip_address& x) const;

  bool contains(const ip_address& x) const;
  bool contains(const prefix& x) const;

  /// True if the two share an address; false across families.
  bool overlaps(const prefix& x) const;

  auto operator<=>(const prefix&) const = default;
  bool operator==(const prefix&) const = default;

private:
  ip_address address_;
  uint8_t length_ = 0;
};

std::string to_string(const prefix& x);

/// An address as an interface has it: with its subnet's length, host bits
/// kept, e.g. `10.1.0.5/16`.
struct interface_address {
  ip_address address;
  uint8_t length = 0;

  /// Errors: `invalid_argument`.
  static result<interface_address> parse(std::string_view text);

  prefix subnet() const {
    return {address, length};
  }

  auto operator<=>(const interface_address&) const = default;
  bool operator==(const interface_address&) const = default;
};

std::string to_string(const interface_address& x);

/// A 48-bit link-layer address.
struct mac_address {
  std::array<uint8_t, 6> bytes{};

  /// Six pairs of hex digits with `:` or `-` between them, any case.
  /// Errors: `invalid_argument`.
  static result<mac_address> parse(std::string_view text);

  /// libnetwork's default: `02:42:` and the four bytes of the IPv4 address.
  static mac_address from_ipv4(const ip_address& x);

  /// `02:42:` and four bytes made from the sixteen: an address that comes back
  /// has the MAC that its neighbours know.
  static mac_address from_ipv6(const ip_address& x);

  /// Random, unicast, locally administered.
  static mac_address random();

  bool is_multicast() const {
    return (bytes[0] & 1) != 0;
  }
  bool is_zero() const {
    return bytes == std::array<uint8_t, 6>{};
  }

  auto operator<=>(const mac_address&) const = default;
  bool operator==(const mac_address&) const = default;
};

/// Lower case with colons, e.g. `02:42:0a:01:00:05`.
std::string to_string(const mac_address& x);

} // namespace troupe
