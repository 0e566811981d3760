#pragma once

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

namespace troupe {

/// Pauses between attempts: each is twice as long as the one before, so that
/// what fails for good costs nothing; after a success they are short again.
class backoff {
public:
  using duration = std::chrono::milliseconds;

  explicit backoff(duration shortest = duration{500},
                   duration longest = duration{30'000})
    : shortest_{shortest}, longest_{longest} {
  }

  /// The pause before the next attempt.
  duration next() {
    const auto result = next_ == duration::zero() ? shortest_ : next_;
    next_ = std::min(2 * result, longest_);
    return result;
  }

  /// An attempt succeeded.
  void reset() {
    next_ = duration::zero();
  }

  /// Was there no failure since the last success?
  bool is_fresh() const {
    return next_ == duration::zero();
  }

  /// The pause, unless an attempt is coming already.
  std::optional<duration> schedule() {
    if (std::exchange(scheduled_, true))
      return std::nullopt;
    return next();
  }

  /// The attempt that was scheduled begins.
  void begin() {
    scheduled_ = false;
  }

private:
  duration shortest_;
  duration longest_;
  duration next_{0};
  bool scheduled_ = false;
};

} // namespace troupe
