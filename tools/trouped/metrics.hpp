#pragma once

#include "troupe/actors/api/messages.hpp"
#include "troupe/actors/embedded/live_faults.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace troupe::tools {

/// Counts requests by operation and status, with their durations.
/// @thread_safety All methods may be called from any thread.
class request_metrics {
public:
  /// @param operation a name of the route table, or `unknown`; must live for
  /// ever.
  void count(std::string_view operation, int status,
             std::chrono::nanoseconds duration);

  /// The counters in Prometheus' text format.
  std::string text() const;

private:
  /// Upper bounds of the histogram's buckets, in microseconds. The goals lie
  /// around 1 ms; the last ones show what hangs.
  static constexpr auto bounds_us = std::array<int64_t, 11>{
    250,    500,     1'000,   2'500,     5'000,    10'000,
    50'000, 100'000, 500'000, 1'000'000, 5'000'000};

  struct durations {
    std::array<uint64_t, bounds_us.size()> buckets{};
    uint64_t count = 0;
    double sum_seconds = 0;
  };

  mutable std::mutex mutex_;
  std::map<std::pair<std::string_view, int>, uint64_t> statuses_;
  std::map<std::string_view, durations> durations_;
};

/// Numbers of the moment.
struct server_gauges {
  size_t requests = 0;
  size_t connections = 0;
  size_t streams = 0;
};

std::string gauges_text(const server_gauges& x);

/// Objects, generation and version, from a reply to `get_status`.
std::string status_text(const daemon_status& x);

/// Injected faults; only of a daemon that may have some.
std::string faults_text(const live_faults::counters& x);

/// Memory, descriptors, processor time of this process.
std::string process_text();

} // namespace troupe::tools
