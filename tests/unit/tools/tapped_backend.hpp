#pragma once

#include "troupe/actors/api/backend.hpp"

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace troupe::test {

/// The real actors on a simulated machine, with a tap on what goes in and out:
/// replies can be kept or replaced, and events made up.
class tapped_backend : public backend {
public:
  tapped_backend();
  ~tapped_backend() override;

  void submit(request what, std::chrono::milliseconds deadline,
              reply_handler handler) override;
  result<uint64_t> subscribe(event_handler handler) override;
  void unsubscribe(uint64_t subscription) override;

  /// Tells the subscribers of something that has not happened.
  void publish(std::string type, std::string action, std::string name);

  /// Replaces the answer to each request for which it has one.
  std::function<std::optional<result<reply>>(const request&)> override_reply;

  /// Keeps requests instead of answering while set; `release` answers them.
  std::atomic<bool> hold = false;
  void release();
  size_t held() const;

  /// If not, the handler is called before `submit` returns.
  std::atomic<bool> answer_on_thread = true;

  /// The last deadline that was asked for.
  std::atomic<int64_t> last_deadline_ms = 0;

private:
  struct held_request {
    request what;
    std::chrono::milliseconds deadline;
    reply_handler handler;
  };

  void pass(held_request x);

  std::shared_ptr<backend> behind_;
  mutable std::mutex mutex_;
  std::vector<held_request> held_;
  std::vector<std::thread> threads_;
  std::map<uint64_t, event_handler> subscribers_;
  uint64_t last_sequence_ = 0;
};

} // namespace troupe::test
