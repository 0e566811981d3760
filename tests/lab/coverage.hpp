#pragma once

#include "troupe/tests/lab/scenario.hpp"

#include <array>
#include <cstdint>
#include <string>

namespace troupe::testing {

/// Which faults have struck while which operations were under way, and how
/// operations ended: a fault that never strikes proves nothing.
struct coverage {
  static constexpr size_t operation_count = enum_names<operation_kind>.size();
  static constexpr size_t fault_count = enum_names<fault_kind>.size();
  static constexpr size_t pair_count = operation_count * fault_count;

  std::array<uint64_t, operation_count> done{};
  std::array<uint64_t, operation_count> refused{};
  std::array<uint64_t, operation_count> unknown{};
  std::array<uint64_t, fault_count> faults{}; ///< Struck at all.
  std::array<std::array<uint64_t, fault_count>, operation_count> met{};
  uint64_t requests = 0;
  uint64_t starts = 0; ///< Of the daemon, after the first.
  uint64_t checks = 0; ///< Of the invariants.

  void add(const coverage& x);

  /// Operations that succeeded at least once.
  size_t operations_seen() const;

  /// Pairs that came up at least once, of `pair_count`.
  size_t pairs_seen() const;

  /// All operations, and at least 90 % of the pairs.
  bool is_enough() const;
};

/// A row for each operation, a column for each fault: how often they met.
std::string to_table(const coverage& x);

} // namespace troupe::testing
