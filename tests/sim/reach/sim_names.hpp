#pragma once

#include "troupe/actors/api/backend.hpp"
#include "troupe/tests/fixtures/addresses.hpp"

#include <string>
#include <utility>

/// Names of things in the simulated world, and answers about them.
namespace troupe::test::reach {

inline std::string n(int number) {
  return "n" + std::to_string(number);
}

inline std::string s(int number) {
  return "s" + std::to_string(number);
}

/// What was answered, or nothing at all.
template <class T>
T answer(result<reply> x) {
  return x ? std::get<T>(std::move(*x)) : T{};
}

} // namespace troupe::test::reach
