#pragma once

#include <chrono>
#include <cstdint>

namespace troupe::tools {

/// A line on standard error that tells how far a long run is; nothing if that
/// is no terminal.
class progress_bar {
public:
  explicit progress_bar(uint64_t all);
  ~progress_bar();
  progress_bar(const progress_bar&) = delete;
  progress_bar& operator=(const progress_bar&) = delete;

  void show(uint64_t done, uint64_t failed);

private:
  using clock = std::chrono::steady_clock;

  uint64_t all_;
  bool on_;
  bool shown_ = false;
  clock::time_point began_ = clock::now();
  clock::time_point last_ = {};
};

} // namespace troupe::tools
