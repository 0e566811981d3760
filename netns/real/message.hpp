#pragma once

// The only header that includes libnl. Private to netns.

#include "troupe/config/model/address.hpp"

#include <netlink/attr.h>
#include <netlink/msg.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <linux/netlink.h>
#include <sys/socket.h>

namespace troupe::netns {

/// A request under construction.
class netlink_message {
public:
  /// @param body The family's fixed header, e.g. `ifinfomsg`.
  template <class Body>
  netlink_message(int type, int flags, const Body& body)
    : message_(nlmsg_alloc_simple(type, NLM_F_REQUEST | flags)) {
    append(body);
  }

  /// Adds an attribute.
  void put(int attribute, std::span<const uint8_t> value) {
    check(message_ == nullptr
            ? -1
            : nla_put(message_.get(), attribute, static_cast<int>(value.size()),
                      value.data()));
  }

  void put_u8(int attribute, uint8_t value) {
    put(attribute, {&value, 1});
  }

  void put_u32(int attribute, uint32_t value) {
    auto bytes = std::array<uint8_t, sizeof value>{};
    std::memcpy(bytes.data(), &value, sizeof value);
    put(attribute, bytes);
  }

  /// Adds text with a zero byte at the end.
  void put_text(int attribute, const std::string& value) {
    put(attribute,
        {reinterpret_cast<const uint8_t*>(value.c_str()), value.size() + 1});
  }

  void put_address(int attribute, const ip_address& value) {
    put(attribute, {value.bytes().data(), value.is_v4() ? size_t{4} : 16});
  }

  void put_mac(int attribute, const mac_address& value) {
    put(attribute, value.bytes);
  }

  /// Adds a nest; `fill` adds its content.
  template <class Fill>
  void nest(int attribute, Fill&& fill) {
    auto* start
      = message_ ? nla_nest_start(message_.get(), attribute) : nullptr;
    check(start == nullptr ? -1 : 0);
    if (start == nullptr)
      return;
    fill();
    nla_nest_end(message_.get(), start);
  }

  /// Adds a fixed header, at the start or within a nest.
  template <class Body>
  void append(const Body& body) {
    auto copy = body;
    check(message_ == nullptr
            ? -1
            : nlmsg_append(message_.get(), &copy, sizeof copy, NLMSG_ALIGNTO));
  }

  /// The finished request; null when there was no memory or it grew too long.
  nlmsghdr* header() {
    return complete_ ? nlmsg_hdr(message_.get()) : nullptr;
  }

private:
  struct releases {
    void operator()(nl_msg* message) const {
      nlmsg_free(message);
    }
  };

  void check(int outcome) {
    complete_ = complete_ && outcome >= 0;
  }

  std::unique_ptr<nl_msg, releases> message_;
  bool complete_ = true;
};

/// The attributes of a message or a nest up to type `Max`; what is absent or
/// too short reads as zero or empty.
/// @note Refers to the message's memory.
template <int Max>
class netlink_attributes {
public:
  /// Those behind the fixed header of `Body`'s size.
  template <class Body>
  static netlink_attributes of(const nlmsghdr& message, const Body&) {
    auto* header = const_cast<nlmsghdr*>(&message);
    auto result = netlink_attributes{};
    nla_parse(result.table_.data(), Max, nlmsg_attrdata(header, sizeof(Body)),
              nlmsg_attrlen(header, sizeof(Body)), nullptr);
    return result;
  }

  /// Those inside an attribute, which may be null.
  static netlink_attributes within(const nlattr* nest) {
    auto result = netlink_attributes{};
    if (nest != nullptr)
      nla_parse(result.table_.data(), Max, static_cast<nlattr*>(nla_data(nest)),
                nla_len(nest), nullptr);
    return result;
  }

  /// Those in a piece of memory.
  static netlink_attributes behind(const char* data, size_t size) {
    auto result = netlink_attributes{};
    nla_parse(result.table_.data(), Max,
              reinterpret_cast<nlattr*>(const_cast<char*>(data)),
              static_cast<int>(size), nullptr);
    return result;
  }

  /// The attribute, or null.
  const nlattr* find(int type) const {
    return table_[static_cast<size_t>(type)];
  }

  bool has(int type) const {
    return find(type) != nullptr;
  }

  /// A plain value of that size, else `missing`.
  template <class T>
  T value(int type, T missing = {}) const {
    auto* attribute = find(type);
    if (attribute == nullptr
        || nla_len(attribute) < static_cast<int>(sizeof(T)))
      return missing;
    auto result = T{};
    std::memcpy(&result, nla_data(attribute), sizeof result);
    return result;
  }

  std::string text(int type) const {
    auto* attribute = find(type);
    if (attribute == nullptr)
      return {};
    auto* data = static_cast<const char*>(nla_data(attribute));
    return {data, strnlen(data, static_cast<size_t>(nla_len(attribute)))};
  }

  mac_address mac(int type) const {
    return {value<std::array<uint8_t, 6>>(type)};
  }

  /// An address of the family, all zero if there is none.
  ip_address address(int type, int family) const {
    auto bytes = std::array<uint8_t, 16>{};
    if (family == AF_INET6)
      bytes = value<std::array<uint8_t, 16>>(type);
    else if (has(type) && nla_len(find(type)) >= 4)
      std::memcpy(bytes.data(), nla_data(find(type)), 4);
    return ip_address::from_bytes(
      family == AF_INET6 ? ip_family::v6 : ip_family::v4, bytes.data());
  }

private:
  std::array<nlattr*, Max + 1> table_{};
};

/// The fixed header of a received message. @pre it is that long; the socket
/// drops shorter ones.
template <class Body>
Body body_of(const nlmsghdr& message) {
  auto result = Body{};
  auto size = std::min<size_t>(
    sizeof result, message.nlmsg_len - static_cast<size_t>(NLMSG_HDRLEN));
  std::memcpy(&result, NLMSG_DATA(const_cast<nlmsghdr*>(&message)), size);
  return result;
}

} // namespace troupe::netns
