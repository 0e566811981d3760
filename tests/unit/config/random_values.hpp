#pragma once

#include "troupe/config/model/address.hpp"
#include "troupe/config/model/field.hpp"
#include "troupe/config/model/id.hpp"
#include "troupe/config/model/named.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

namespace troupe::test {

/// Runs a property as a GoogleTest assertion. `RC_PARAMS` in the environment
/// sets seed and number of runs.
template <class Property>
void check(Property property) {
  EXPECT_TRUE(rc::check(property));
}

/// Draws values of every type a record can hold; to be called inside a
/// property.
template <class T>
struct random_value {
  static T draw() {
    if constexpr (described<T>) {
      auto result = T{};
      for_each_field(result, [](std::string_view, auto& member) {
        member = random_value<std::decay_t<decltype(member)>>::draw();
      });
      return result;
    } else if constexpr (named_enum<T>) {
      return static_cast<T>(*rc::gen::inRange<size_t>(0, enum_names<T>.size()));
    } else {
      return *rc::gen::arbitrary<T>();
    }
  }
};

template <class T>
T draw() {
  return random_value<T>::draw();
}

/// Text with the characters that need care in JSON and messages.
template <>
struct random_value<std::string> {
  static std::string draw() {
    return *rc::gen::container<std::string>(
      rc::gen::oneOf(rc::gen::inRange('a', 'e'),
                     rc::gen::element('"', '\\', '/', '\n', '\x7f', '\0', ' ',
                                      '.', '[', '{', '=')));
  }
};

/// Bytes with many zeros, where the rules for text are.
template <>
struct random_value<ip_address> {
  static ip_address draw(ip_family family) {
    auto bytes = std::array<uint8_t, 16>{};
    for (size_t i = 0; i < bytes.size(); i += 2) {
      if (*rc::gen::inRange(0, 2) == 0)
        continue;
      bytes[i] = *rc::gen::element<uint8_t>(0, 0, 1, 0x20, 0xff);
      bytes[i + 1] = *rc::gen::arbitrary<uint8_t>();
    }
    return ip_address::from_bytes(family, bytes.data());
  }
  static ip_address draw() {
    auto v4 = *rc::gen::arbitrary<bool>();
    auto result = draw(v4 ? ip_family::v4 : ip_family::v6);
    // IPv4-mapped text means IPv4, so that it cannot come back as it was.
    auto mapped = result.is_v6() && (result.number() >> 32U) == 0xffff;
    return mapped ? ip_address{} : result;
  }
};

template <>
struct random_value<interface_address> {
  static interface_address draw() {
    auto address = random_value<ip_address>::draw();
    auto length = *rc::gen::inRange(0, address.bits() + 1);
    return {address, static_cast<uint8_t>(length)};
  }
};

template <>
struct random_value<prefix> {
  static prefix draw() {
    auto x = random_value<interface_address>::draw();
    // A subnet of mapped addresses would be written as IPv4 too.
    auto result = x.subnet();
    auto mapped = result.address().is_v6()
                  && (result.address().number() >> 32U) == 0xffff;
    return mapped ? prefix{} : result;
  }
};

template <>
struct random_value<mac_address> {
  static mac_address draw() {
    return {*rc::gen::arbitrary<std::array<uint8_t, 6>>()};
  }
};

template <class Tag>
struct random_value<basic_id<Tag>> {
  static basic_id<Tag> draw() {
    if (*rc::gen::inRange(0, 3) == 0)
      return {};
    auto digit = rc::gen::elementOf(std::string{"0123456789abcdef"});
    return {*rc::gen::container<std::string>(64, digit)};
  }
};

template <class T>
struct random_value<std::optional<T>> {
  static std::optional<T> draw() {
    if (*rc::gen::arbitrary<bool>())
      return std::nullopt;
    return random_value<T>::draw();
  }
};

template <class T>
struct random_value<std::vector<T>> {
  static std::vector<T> draw() {
    auto result = std::vector<T>{};
    for (auto n = *rc::gen::inRange(0, 3); n > 0; --n)
      result.push_back(random_value<T>::draw());
    return result;
  }
};

template <class T>
struct random_value<std::map<std::string, T>> {
  static std::map<std::string, T> draw() {
    auto result = std::map<std::string, T>{};
    for (auto n = *rc::gen::inRange(0, 3); n > 0; --n) {
      auto key = random_value<std::string>::draw();
      result[key] = random_value<T>::draw();
    }
    return result;
  }
};

} // namespace troupe::test
