#pragma once

#include <string_view>
#include <tuple>
#include <type_traits>

namespace troupe {

/// One row of a struct's field table: the name users see and the member.
/// Field tables are the only description of a record; JSON, CAF serialisation
/// and equality are derived from them.
template <class C, class T>
struct field {
  std::string_view name;
  T C::*member;
};

template <class C, class T>
field(const char*, T C::*) -> field<C, T>;

/// A struct with a field table:
/// `static constexpr auto fields() { return std::tuple{field{"name",
/// &S::name}}; }`.
template <class T>
concept described = requires {
  T::fields();
};

/// Calls `visit(name, member)` for each field of `x`, in table order.
template <described T, class Visit>
constexpr void for_each_field(T& x, Visit&& visit) {
  std::apply(
    [&](const auto&... row) {
      (visit(row.name, x.*row.member), ...);
    },
    std::remove_const_t<T>::fields());
}

/// Two records are equal when all their fields are.
template <described T>
bool operator==(const T& lhs, const T& rhs) {
  return std::apply(
    [&](const auto&... row) {
      return ((lhs.*row.member == rhs.*row.member) && ...);
    },
    T::fields());
}

} // namespace troupe
