#pragma once

#include "troupe/netns/unique_fd.hpp"

#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include <sys/eventfd.h>

namespace troupe::tools::remote {

/// Brings work from any thread to a loop's.
class post_queue {
public:
  post_queue() : wake_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)} {
  }

  /// @thread_safety Any thread.
  void post(std::function<void()> what) {
    {
      auto guard = std::lock_guard{mutex_};
      waiting_.push_back(std::move(what));
    }
    (void)::eventfd_write(wake_.get(), 1);
  }

  /// Runs what was posted; on the loop's thread.
  void run() {
    auto count = eventfd_t{};
    (void)::eventfd_read(wake_.get(), &count);
    auto fresh = std::vector<std::function<void()>>{};
    {
      auto guard = std::lock_guard{mutex_};
      fresh.swap(waiting_);
    }
    for (auto& x : fresh)
      x();
  }

  /// Readable while something waits.
  int descriptor() const {
    return wake_.get();
  }

private:
  netns::unique_fd wake_;
  std::mutex mutex_;
  std::vector<std::function<void()>> waiting_;
};

} // namespace troupe::tools::remote
