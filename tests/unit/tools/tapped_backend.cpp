#include "troupe/tests/unit/tools/tapped_backend.hpp"

#include "troupe/tests/fixtures/simulated_parts.hpp"

#include <stdexcept>
#include <utility>

namespace troupe::test {

namespace {

std::shared_ptr<backend> open_on_simulated_machine() {
  auto opened = open_backend(
    {}, simulated_parts(std::make_shared<netns::simulated_world>(),
                        std::make_shared<persistence::memory_disk>(),
                        std::make_shared<netns::simulated_ports>()));
  if (!opened)
    throw std::runtime_error{opened.error().message};
  return *opened;
}

} // namespace

tapped_backend::tapped_backend() : behind_{open_on_simulated_machine()} {
}

tapped_backend::~tapped_backend() {
  release();
  for (auto& x : threads_)
    x.join();
}

void tapped_backend::submit(request what, std::chrono::milliseconds deadline,
                            reply_handler handler) {
  last_deadline_ms = deadline.count();
  auto x = held_request{std::move(what), deadline, std::move(handler)};
  {
    auto guard = std::lock_guard{mutex_};
    if (hold) {
      held_.push_back(std::move(x));
      return;
    }
  }
  pass(std::move(x));
}

void tapped_backend::pass(held_request x) {
  auto replaced = override_reply ? override_reply(x.what) : std::nullopt;
  if (!replaced && answer_on_thread)
    return behind_->submit(std::move(x.what), x.deadline, std::move(x.handler));
  if (!replaced)
    return x.handler(behind_->call(std::move(x.what), x.deadline));
  if (!answer_on_thread)
    return x.handler(std::move(*replaced));
  auto guard = std::lock_guard{mutex_};
  threads_.emplace_back(std::move(x.handler), std::move(*replaced));
}

void tapped_backend::release() {
  auto waiting = std::vector<held_request>{};
  {
    auto guard = std::lock_guard{mutex_};
    hold = false;
    waiting.swap(held_);
  }
  for (auto& x : waiting)
    pass(std::move(x));
}

size_t tapped_backend::held() const {
  auto guard = std::lock_guard{mutex_};
  return held_.size();
}

result<uint64_t> tapped_backend::subscribe(event_handler handler) {
  auto number = behind_->subscribe(handler);
  if (!number)
    return number;
  auto guard = std::lock_guard{mutex_};
  subscribers_[*number] = std::move(handler);
  return number;
}

void tapped_backend::unsubscribe(uint64_t subscription) {
  {
    auto guard = std::lock_guard{mutex_};
    subscribers_.erase(subscription);
  }
  behind_->unsubscribe(subscription);
}

void tapped_backend::publish(std::string type, std::string action,
                             std::string name) {
  auto guard = std::lock_guard{mutex_};
  auto x = event{};
  x.sequence = ++last_sequence_;
  x.time_ms = 1'700'000'000'000;
  x.type = std::move(type);
  x.action = std::move(action);
  x.name = std::move(name);
  x.id = std::string(64, 'e');
  x.attributes["reason"] = "test";
  for (const auto& [number, handler] : subscribers_)
    handler(x);
}

} // namespace troupe::test
