#pragma once

#include "troupe/persistence/schema.hpp"

#include <span>
#include <string_view>

namespace troupe::persistence {

/// One step from a schema version to the next. Steps work on the records in
/// memory; opening a store writes a fresh file in any case, so a migration is
/// there wholly or not at all, and the old file is kept.
struct migration {
  int from = 0;                             ///< Leads to `from + 1`.
  std::string_view summary;                 ///< For the log, e.g. "split name".
  result<void> (*run)(contents&) = nullptr; ///< Leaves `state` alone.
};

/// All steps, in order. Version 1 is the first, so there is none yet.
std::span<const migration> migrations();

/// Runs the steps that lead from the contents' version to `target` and sets
/// the version. Does nothing when they are the same.
/// Errors: `unsupported` for a newer version, naming the program that wrote
/// it, and for an older one that no chain of steps leads away from; else what
/// a step reports, with its version in front.
result<void>
migrate(contents& what, std::span<const migration> steps = migrations(),
        int target = schema_version);

} // namespace troupe::persistence
