#pragma once

#include "troupe/config/model/error.hpp"
#include "troupe/netns/unique_fd.hpp"

#include <chrono>
#include <string>

namespace troupe::adapter {

/// One call at a time for each attachment: a runtime that gives up waiting
/// removes what its first call is still making. The kernel gives the lock back
/// however the process ends; the file then tells that it did not end well.
class attachment_lock {
public:
  /// Waits for the lock. Errors: `unavailable` after the deadline.
  /// @param path of the file; its directory exists.
  static result<attachment_lock>
  take(const std::string& path, std::chrono::milliseconds deadline);

  /// Somebody began a change and never said how it ended.
  bool is_unsettled() const {
    return unsettled_;
  }

  /// From here on a request may be under way that nobody waits for.
  result<void> begin();

  /// All that was asked for is done, or taken back.
  void settle();

  /// There is nothing left to lock: removes the file.
  void forget();

private:
  attachment_lock(netns::unique_fd fd, std::string path);

  netns::unique_fd fd_;
  std::string path_;
  bool unsettled_ = false;
};

/// Makes a directory for root alone, and those above it.
result<void> make_directory(const std::string& path);

} // namespace troupe::adapter
