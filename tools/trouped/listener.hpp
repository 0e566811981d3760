#pragma once

#include "troupe/config/model/error.hpp"
#include "troupe/netns/unique_fd.hpp"

#include <string>

#include <sys/types.h>

namespace troupe::tools {

/// A listening Unix socket at a path. The destructor removes the path if it
/// is still ours.
class listener {
public:
  /// Makes the socket with mode 0660 and the group, at no instant with other
  /// rights: it is bound under a temporary name beside the final one and moved
  /// into place when it listens. A socket nobody listens on is replaced.
  /// @param group name; empty: the group of the process.
  /// Errors: `conflict` (somebody listens, or the path is no socket),
  /// `invalid_argument` (path too long, no such group), `forbidden`.
  static result<listener>
  open(const std::string& path, const std::string& group);

  listener(listener&& other) noexcept;
  listener& operator=(listener&& other) noexcept;
  ~listener();

  /// Hands the descriptor to the server; the path stays ours.
  netns::unique_fd take_descriptor() {
    return std::move(fd_);
  }

  const std::string& path() const {
    return path_;
  }

  /// Is the socket at the path still this one?
  bool is_in_place() const;

private:
  listener() = default;
  void remove();

  netns::unique_fd fd_;
  std::string path_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

} // namespace troupe::tools
