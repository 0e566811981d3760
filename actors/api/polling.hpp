#pragma once

#include "troupe/netns/unique_fd.hpp"

#include <chrono>
#include <span>
#include <vector>

#include <poll.h>

namespace troupe {

/// When something is due at the latest; `never` if it is not.
using due_time = std::chrono::steady_clock::time_point;
inline constexpr due_time never = due_time::max();

/// Sleeps until one of the descriptors is ready, or the time has come, or
/// sooner.
void poll_until(std::span<pollfd> what, due_time until);

/// Ends another thread's sleep.
/// @thread_safety `raise` may be called from any thread.
class wake_signal {
public:
  wake_signal();

  void raise() noexcept;

  /// Sleeps as `poll_until` does, or until the signal is raised. One that was
  /// raised before ends the sleep at once.
  void sleep(std::vector<pollfd>& what, due_time until);

private:
  netns::unique_fd fd_;
};

} // namespace troupe
