#pragma once

// The store behind `open_lmdb`, with everything tests want to vary.

#include "troupe/persistence/database.hpp"
#include "troupe/persistence/store.hpp"

#include <chrono>
#include <memory>
#include <string>

namespace troupe::persistence {

/// Where and how to open both environments.
struct store_options {
  std::string durable_dir;
  std::string runtime_dir;
  database_limits durable;
  database_limits runtime{.max_map_bytes = 4ULL << 30U, .sync = false};
  std::string boot_id_file = "/proc/sys/kernel/random/boot_id";
  /// How long the check of one file may be without progress.
  std::chrono::milliseconds check_patience = std::chrono::seconds{10};
};

/// As `open_lmdb`, which calls it.
result<std::unique_ptr<store>> open_lmdb_with(const store_options& how);

} // namespace troupe::persistence
