#pragma once

#include <algorithm>
#include <iterator>
#include <ranges>
#include <vector>

namespace troupe {

/// What is in `a` and not in `b`, in its order. @pre both are sorted.
template <class A, class B>
auto difference(const A& a, const B& b) {
  auto result = std::vector<std::ranges::range_value_t<A>>{};
  std::ranges::set_difference(a, b, std::back_inserter(result));
  return result;
}

} // namespace troupe
