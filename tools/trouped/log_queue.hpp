#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>

namespace troupe::tools {

/// Lines on their way to a descriptor whose reader may be slow or stand still:
/// whoever logs never waits. When the queue is full the oldest lines go, and a
/// line says how many.
/// @thread_safety Everything.
class log_queue {
public:
  /// Starts the thread that writes.
  /// @param fd stays open for as long as the program runs.
  static std::shared_ptr<log_queue>
  start(int fd, size_t max_bytes = size_t{1} << 20U);

  /// Appends a line, with its end.
  void push(std::string line);

  /// Waits until everything is written. @returns false if it is not in time.
  bool flush(std::chrono::milliseconds longest);

  /// Lines that nobody will read.
  size_t dropped() const;

private:
  log_queue(int fd, size_t max_bytes);
  void run();
  std::string next();
  void write_all(const std::string& line) const;

  const int fd_;
  const size_t max_bytes_;
  mutable std::mutex mutex_;
  std::condition_variable filled_;
  std::condition_variable empty_;
  std::deque<std::string> lines_;
  size_t bytes_ = 0;
  size_t dropped_ = 0;
  size_t untold_ = 0;    ///< Dropped since the last line about it.
  bool writing_ = false; ///< A line is on its way.
};

} // namespace troupe::tools
