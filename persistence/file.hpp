#pragma once

#include "troupe/config/model/error.hpp"

#include <string>
#include <string_view>
#include <utility>

namespace troupe::persistence {

/// Owns a file descriptor; -1 stands for none.
class unique_fd {
public:
  unique_fd() = default;
  explicit unique_fd(int fd) : fd_{fd} {
  }
  unique_fd(unique_fd&& other) noexcept : fd_{std::exchange(other.fd_, -1)} {
  }
  unique_fd& operator=(unique_fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  unique_fd(const unique_fd&) = delete;
  unique_fd& operator=(const unique_fd&) = delete;
  ~unique_fd();

  /// Closes now instead of in the destructor.
  void reset();

  int value() const {
    return fd_;
  }
  explicit operator bool() const {
    return fd_ >= 0;
  }

private:
  int fd_ = -1;
};

/// Opens with O_CLOEXEC and O_NOFOLLOW, restarting after signals.
/// @returns an empty descriptor on failure, with errno set.
unique_fd open_file(const std::string& path, int flags, unsigned mode = 0600);

/// Reads a small file (at most 64 KiB) whole.
result<std::string> read_small_file(const std::string& path);

/// Renames and makes the new name durable.
/// @pre both names are in `directory`.
result<void> rename_durably(const std::string& directory,
                            const std::string& from, const std::string& to);

/// Sets a damaged file aside as `<path>.damaged-<n>` with the first free
/// number; nothing is ever overwritten.
/// @returns the new path.
result<std::string>
set_aside(const std::string& directory, const std::string& name);

} // namespace troupe::persistence
