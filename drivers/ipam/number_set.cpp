#include "troupe/drivers/ipam/number_set.hpp"

#include <algorithm>
#include <cassert>

namespace troupe::ipam {

number_set::interval_map::const_iterator number_set::find(uint128 x) const {
  auto next = intervals_.upper_bound(x);
  if (next == intervals_.begin())
    return intervals_.end();
  auto candidate = std::prev(next);
  return candidate->second >= x ? candidate : intervals_.end();
}

void number_set::insert(uint128 first, uint128 last) {
  assert(first <= last);
  // Starts with the interval that ends right before `first` or later, and
  // swallows every one up to the one that begins right after `last`.
  auto i = intervals_.upper_bound(first);
  if (i != intervals_.begin()) {
    auto before = std::prev(i);
    // `first > 0` here, or `before` could not begin below or at it and end
    // below it.
    if (before->second >= first || before->second == first - 1)
      i = before;
  }
  while (i != intervals_.end() && (i->first <= last || i->first - 1 == last)) {
    first = std::min(first, i->first);
    last = std::max(last, i->second);
    i = intervals_.erase(i);
  }
  intervals_.emplace_hint(i, first, last);
}

void number_set::erase(uint128 first, uint128 last) {
  assert(first <= last);
  auto i = intervals_.upper_bound(first);
  if (i != intervals_.begin() && std::prev(i)->second >= first)
    --i;
  while (i != intervals_.end() && i->first <= last) {
    auto [begin, end] = *i;
    i = intervals_.erase(i);
    if (begin < first)
      intervals_.emplace(begin, first - 1);
    if (end > last)
      i = intervals_.emplace(last + 1, end).first;
  }
}

bool number_set::contains(uint128 x) const {
  return find(x) != intervals_.end();
}

bool number_set::contains_any(uint128 first, uint128 last) const {
  assert(first <= last);
  auto next = intervals_.upper_bound(last);
  return next != intervals_.begin() && std::prev(next)->second >= first;
}

std::optional<uint128>
number_set::first_gap(uint128 first, uint128 last) const {
  assert(first <= last);
  auto i = find(first);
  if (i == intervals_.end())
    return first;
  // Intervals never touch, so what follows one is free.
  if (i->second >= last)
    return std::nullopt;
  return i->second + 1;
}

} // namespace troupe::ipam
