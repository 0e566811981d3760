#pragma once

#include "troupe/config/model/json.hpp"

#include <charconv>

namespace troupe {

/// A string as JSON writes it, with its quotes; invalid UTF-8 is replaced.
void append_json_string(std::string& out, std::string_view text);

template <class T>
void append_json(std::string& out, const T& x);

namespace detail {

template <class T>
void append_number(std::string& out, T x) {
  auto digits = std::array<char, 24>{};
  auto end = std::to_chars(digits.data(), digits.data() + digits.size(), x);
  out.append(digits.data(), end.ptr);
}

/// What `visit` is called with, between brackets and with commas.
template <class Visit>
void append_members(std::string& out, char open, char close, Visit&& visit) {
  out += open;
  auto first = true;
  visit([&] {
    if (!std::exchange(first, false))
      out += ',';
  });
  out += close;
}

} // namespace detail

/// Appends what `dump(to_json(x))` says, with the fields in the order of the
/// struct, in an eighth of the time: for what every request writes.
template <class T>
void append_json(std::string& out, const T& x) {
  using detail::json_shape;
  constexpr auto shape = detail::shape_of<T>;
  if constexpr (std::is_same_v<T, bool>) {
    out += x ? "true" : "false";
  } else if constexpr (std::is_integral_v<T>) {
    detail::append_number(out, x);
  } else if constexpr (std::is_same_v<T, std::string>) {
    append_json_string(out, x);
  } else if constexpr (shape == json_shape::optional) {
    x ? append_json(out, *x) : void(out += "null");
  } else if constexpr (shape == json_shape::array) {
    detail::append_members(out, '[', ']', [&](auto&& next) {
      for (const auto& element : x) {
        next();
        append_json(out, element);
      }
    });
  } else if constexpr (shape == json_shape::map) {
    detail::append_members(out, '{', '}', [&](auto&& next) {
      for (const auto& [key, value] : x) {
        next();
        append_json_string(out, key);
        out += ':';
        append_json(out, value);
      }
    });
  } else if constexpr (text_type<T> || named_enum<T>) {
    append_json_string(out, to_string(x));
  } else {
    static_assert(described<T>, "needs a field table");
    detail::append_members(out, '{', '}', [&](auto&& next) {
      for_each_field(x, [&](std::string_view name, const auto& member) {
        if (detail::is_absent(member))
          return;
        next();
        append_json_string(out, name);
        out += ':';
        append_json(out, member);
      });
    });
  }
}

/// The same as a text of its own.
template <class T>
std::string json_text(const T& x) {
  auto result = std::string{};
  append_json(result, x);
  return result;
}

} // namespace troupe
