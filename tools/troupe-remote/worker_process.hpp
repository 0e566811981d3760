#pragma once

#include "troupe/config/model/error.hpp"
#include "troupe/netns/unique_fd.hpp"

#include <sys/types.h>

namespace troupe::tools::remote {

/// A process that speaks CAF's protocol with one peer, and our ends of its two
/// sockets. Killed when this object ends.
/// @thread_safety One thread; also `reap_workers`.
class worker_process {
public:
  /// Starts this program again, as a worker. Errors: those of the system.
  static result<worker_process> start();

  worker_process() = default;
  worker_process(worker_process&& x) noexcept;
  worker_process& operator=(worker_process&& x) noexcept;
  ~worker_process();

  /// The peer's bytes, decrypted. Non-blocking.
  int stream() const {
    return stream_.get();
  }

  /// Frames. Non-blocking.
  int channel() const {
    return channel_.get();
  }

  pid_t pid() const {
    return pid_;
  }

private:
  pid_t pid_ = -1;
  netns::unique_fd stream_;
  netns::unique_fd channel_;
};

/// Collects the workers whose objects have ended; they would stay as zombies.
void reap_workers();

} // namespace troupe::tools::remote
