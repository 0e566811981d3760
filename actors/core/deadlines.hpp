#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

namespace troupe {

/// Runs functions when their time has come, unless they are withdrawn before.
/// Made for deadlines that nearly never pass: its thread sleeps until the
/// earliest of them, and neither a later one nor a withdrawal wakes it. (CAF's
/// own clock is woken by each request, and keeps it until it would have been
/// due: a third of the time of an attach went there.)
/// @thread_safety All functions may be called from any thread.
class deadlines {
public:
  using clock = std::chrono::steady_clock;

  deadlines() = default;
  deadlines(const deadlines&) = delete;
  deadlines& operator=(const deadlines&) = delete;

  /// Forgets what is still to come. @pre No ticket outlives this object.
  ~deadlines();

  /// As long as it lives, the function is to be run.
  using ticket = std::shared_ptr<const void>;

  /// Runs `late` once, on the thread of this object, when `after` has passed.
  /// @param late Must not throw nor block: others wait behind it.
  ticket watch(std::chrono::milliseconds after, std::function<void()> late);

private:
  using key = std::pair<clock::time_point, uint64_t>;
  class entry;

  void withdraw(const key& which);
  void run();

  std::mutex mutex_;
  std::condition_variable earlier_;
  std::map<key, std::function<void()>> waiting_;
  clock::time_point wakes_ = clock::time_point::max();
  uint64_t last_ = 0;
  bool stopping_ = false;
  std::thread thread_; ///< Started with the first deadline.
};

} // namespace troupe
