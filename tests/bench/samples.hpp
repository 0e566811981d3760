#pragma once

#include <chrono>
#include <cstddef>
#include <vector>

namespace troupe::bench {

using clock = std::chrono::steady_clock;
using microseconds = std::chrono::duration<double, std::micro>;

/// How long each repetition of one operation took.
class samples {
public:
  void add(clock::duration x) {
    values_.push_back(x);
  }

  /// Takes over those of another thread or round.
  void add(const samples& xs);

  size_t count() const {
    return values_.size();
  }

  /// The value that the given share of all stays at or below, e.g. 0.99; zero
  /// if there are none.
  microseconds quantile(double share) const;

  microseconds p50() const {
    return quantile(0.5);
  }

  microseconds p99() const {
    return quantile(0.99);
  }

  /// Those with the indices [first, last), in order of measurement.
  samples slice(size_t first, size_t last) const;

private:
  std::vector<clock::duration> values_;
};

/// Measures from its construction on.
class stopwatch {
public:
  clock::duration elapsed() const {
    return clock::now() - start_;
  }

private:
  clock::time_point start_ = clock::now();
};

/// Operations per second.
double per_second(size_t count, clock::duration took);

} // namespace troupe::bench
