#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace troupe {

/// The names of an enumeration's values, in order, from 0. Specialised as
/// `std::array<std::string_view, N>`: JSON and CAF then show the names.
template <class T>
inline constexpr std::array<std::string_view, 0> enum_names{};

/// An enumeration whose values have names.
template <class T>
concept named_enum = std::is_enum_v<T> && !enum_names<T>.empty();

/// The value's name.
template <named_enum T>
std::string to_string(T x) {
  auto index = static_cast<size_t>(x);
  constexpr const auto& names = enum_names<T>;
  return std::string{index < names.size() ? names[index] : "?"};
}

/// Inverse of `to_string`; nothing for any other text.
template <named_enum T>
std::optional<T> value_named(std::string_view name) {
  constexpr const auto& names = enum_names<T>;
  for (size_t i = 0; i < names.size(); ++i)
    if (names[i] == name)
      return static_cast<T>(i);
  return std::nullopt;
}

} // namespace troupe
