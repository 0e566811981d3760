#pragma once

#include "troupe/config/model/address.hpp"

#include <map>
#include <optional>

namespace troupe::ipam {

/// A set of 128-bit numbers, kept as disjoint intervals that never touch. Its
/// size is that of the gaps, not of the numbers: a full /8 is one entry, and
/// finding a gap costs O(log entries) however full the set is.
class number_set {
public:
  /// Adds all of [first, last]; members may be among them. @pre first <= last.
  void insert(uint128 first, uint128 last);

  /// Removes all of [first, last]; others may be among them. @pre first <=
  /// last.
  void erase(uint128 first, uint128 last);

  bool contains(uint128 x) const;

  /// True if a number of [first, last] is a member. @pre first <= last.
  bool contains_any(uint128 first, uint128 last) const;

  /// The lowest number of [first, last] that is not a member.
  /// @pre first <= last.
  std::optional<uint128> first_gap(uint128 first, uint128 last) const;

  bool empty() const {
    return intervals_.empty();
  }

  /// Number of intervals.
  size_t intervals() const {
    return intervals_.size();
  }

private:
  using interval_map = std::map<uint128, uint128>; ///< First to last number.

  /// The interval that holds `x`, or the end.
  interval_map::const_iterator find(uint128 x) const;

  interval_map intervals_;
};

} // namespace troupe::ipam
