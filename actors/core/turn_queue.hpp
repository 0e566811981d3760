#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <utility>

namespace troupe {

/// One operation at a time: an object runs the first, others wait in a bounded
/// queue. Belongs to one actor.
class turn_queue {
public:
  explicit turn_queue(size_t limit = 256) : limit_{limit} {
  }

  /// Runs `work` now if nothing is in work, else later.
  /// @returns false when the queue is full; `work` is dropped then.
  bool enter(std::function<void()> work) {
    if (!busy_) {
      busy_ = true;
      work();
      return true;
    }
    if (waiting_.size() >= limit_)
      return false;
    waiting_.push_back(std::move(work));
    return true;
  }

  /// Ends the operation in work and starts the next. @pre one is in work.
  void leave() {
    busy_ = false;
    if (waiting_.empty())
      return;
    auto next = std::move(waiting_.front());
    waiting_.pop_front();
    busy_ = true;
    next();
  }

  bool busy() const {
    return busy_;
  }

  size_t waiting() const {
    return waiting_.size();
  }

private:
  bool busy_ = false;
  size_t limit_;
  std::deque<std::function<void()>> waiting_;
};

} // namespace troupe
