#pragma once

#include <utility>

#include <unistd.h>

namespace troupe::netns {

/// Owns a file descriptor; closes it when destroyed.
class unique_fd {
public:
  /// Owns nothing.
  unique_fd() = default;

  /// Takes ownership of `fd`; a negative number means nothing.
  explicit unique_fd(int fd) : fd_(fd) {
  }

  unique_fd(unique_fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {
  }

  unique_fd& operator=(unique_fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }

  unique_fd(const unique_fd&) = delete;
  unique_fd& operator=(const unique_fd&) = delete;

  ~unique_fd() {
    if (fd_ >= 0)
      ::close(fd_);
  }

  /// The descriptor, or -1.
  int get() const {
    return fd_;
  }

  /// True if a descriptor is owned.
  explicit operator bool() const {
    return fd_ >= 0;
  }

  /// Gives the descriptor to somebody who closes it.
  int release() {
    return std::exchange(fd_, -1);
  }

private:
  int fd_ = -1;
};

} // namespace troupe::netns
