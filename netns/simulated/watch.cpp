#include "troupe/netns/simulated/watch.hpp"

#include "troupe/netns/simulated/model.hpp"

#include <condition_variable>
#include <utility>

namespace troupe::netns {

namespace {

constexpr size_t most_events = 4096;

} // namespace

struct simulated_watch::queue {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<kernel_event> events;
  bool interrupted = false;

  void push(const kernel_event& event) {
    auto lock = std::lock_guard{mutex};
    if (events.size() >= most_events)
      events.assign(1, kernel_event{});
    // While the one entry says `overflow` nothing else matters.
    else if (events.empty()
             || events.front().what != kernel_event::kind::overflow)
      events.push_back(event);
    changed.notify_one();
  }
};

simulated_watch::simulated_watch(std::shared_ptr<simulated_world> world)
  : world_{std::move(world)}, queue_{std::make_shared<queue>()} {
  world_->with_model([this](simulation::model& m) {
    observer_ = m.observers.empty() ? 1 : m.observers.rbegin()->first + 1;
    m.observers[observer_] = [q = queue_](const kernel_event& event) {
      q->push(event);
    };
  });
}

simulated_watch::~simulated_watch() {
  world_->with_model([this](simulation::model& m) {
    m.observers.erase(observer_);
  });
}

result<std::vector<kernel_event>>
simulated_watch::wait(std::chrono::milliseconds longest) {
  auto lock = std::unique_lock{queue_->mutex};
  queue_->changed.wait_for(lock, longest, [this] {
    return !queue_->events.empty() || queue_->interrupted;
  });
  if (std::exchange(queue_->interrupted, false))
    return std::vector<kernel_event>{};
  return std::exchange(queue_->events, {});
}

void simulated_watch::interrupt() {
  auto lock = std::lock_guard{queue_->mutex};
  queue_->interrupted = true;
  queue_->changed.notify_one();
}

void simulated_watch::overflow() {
  auto lock = std::lock_guard{queue_->mutex};
  queue_->events.assign(1, kernel_event{});
  queue_->changed.notify_one();
}

} // namespace troupe::netns
