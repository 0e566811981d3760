#pragma once

#include "troupe/tools/adapter/daemon.hpp"
#include "troupe/tools/adapter/lock.hpp"
#include "troupe/tools/adapter/names.hpp"

namespace troupe::adapter {

/// Where an adapter keeps its locks and what is still to be deleted: files
/// beside the daemon's socket, gone with a reboot as all they are about.
class work_directory {
public:
  /// @param socket path of the daemon's.
  explicit work_directory(const std::string& socket);

  /// Makes the directories.
  result<void> prepare() const;

  /// Locks an attachment.
  result<attachment_lock>
  lock(const attachment_id& id, std::chrono::milliseconds deadline) const;

  /// Remembers that an attachment is to be deleted, whatever becomes of the
  /// daemon and of this process.
  result<void> defer(const attachment_id& id) const;

  bool is_deferred(const attachment_id& id) const;

  /// It is deleted.
  void forget(const attachment_id& id) const;

  /// Deletes what was remembered; what does not go now stays. Never waits for
  /// another call. @returns how many are left.
  size_t replay(const daemon_link& daemon) const;

private:
  std::string deferred_path(const attachment_id& id) const;

  std::string root_;
};

} // namespace troupe::adapter
