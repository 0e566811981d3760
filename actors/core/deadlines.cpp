#include "troupe/actors/core/deadlines.hpp"

namespace troupe {

class deadlines::entry {
public:
  entry(deadlines& owner, key which) : owner_{owner}, key_{which} {
  }
  entry(const entry&) = delete;
  entry& operator=(const entry&) = delete;

  ~entry() {
    owner_.withdraw(key_);
  }

private:
  deadlines& owner_;
  key key_;
};

deadlines::~deadlines() {
  {
    auto guard = std::lock_guard{mutex_};
    stopping_ = true;
  }
  earlier_.notify_one();
  if (thread_.joinable())
    thread_.join();
}

deadlines::ticket
deadlines::watch(std::chrono::milliseconds after, std::function<void()> late) {
  const auto due = clock::now() + after;
  auto wake = false;
  auto which = key{};
  {
    auto guard = std::lock_guard{mutex_};
    which = {due, ++last_};
    waiting_.emplace_hint(waiting_.end(), which, std::move(late));
    wake = due < wakes_;
    if (!thread_.joinable())
      thread_ = std::thread{[this] {
        run();
      }};
  }
  if (wake)
    earlier_.notify_one();
  return std::make_shared<const entry>(*this, which);
}

/// Nothing if it has run, or is about to.
void deadlines::withdraw(const key& which) {
  auto gone = decltype(waiting_)::node_type{}; // ends without the lock
  auto guard = std::lock_guard{mutex_};
  gone = waiting_.extract(which);
}

void deadlines::run() {
  auto lock = std::unique_lock{mutex_};
  while (!stopping_) {
    if (waiting_.empty()) {
      wakes_ = clock::time_point::max();
      earlier_.wait(lock);
      continue;
    }
    wakes_ = waiting_.begin()->first.first;
    if (clock::now() < wakes_) {
      earlier_.wait_until(lock, wakes_);
      continue;
    }
    auto next = waiting_.extract(waiting_.begin());
    lock.unlock();
    next.mapped()();
    lock.lock();
  }
}

} // namespace troupe
