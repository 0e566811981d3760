#pragma once

#include "troupe/config/model/error.hpp"
#include "troupe/persistence/file.hpp"

#include <string>

namespace troupe::persistence {

/// Excludes other stores from one directory: an flock on its file `lock`, held
/// until destruction. LMDB does not notice a second opener and then breaks its
/// own data, in one process as well; flock belongs to the open file, so both
/// cases are refused.
class directory_lock {
public:
  /// Makes the directory (mode 0700, parents 0755) unless it is there, checks
  /// it and takes the lock, in which the process id is then written.
  /// Errors: `forbidden` when it is not a directory, not ours, open to others'
  /// writes or not writable; `conflict` when another store has it, naming its
  /// process when it can; `unavailable` when the disk is full.
  static result<directory_lock> take(const std::string& path);

private:
  explicit directory_lock(unique_fd fd) : fd_{std::move(fd)} {
  }

  unique_fd fd_;
};

} // namespace troupe::persistence
