#pragma once

#include "troupe/actors/api/backend.hpp"
#include "troupe/actors/api/failure_board.hpp"

#include <atomic>
#include <memory>
#include <utility>

namespace troupe {

/// Calls a handler once: with the reply, or, when the request is dropped
/// because nobody is there any more, with the reason for that.
class reply_once {
public:
  using counter = std::shared_ptr<std::atomic<size_t>>;

  /// @param of whose threads call the handler. @param in_work counted down
  /// before; may be null.
  reply_once(reply_handler handler, const void* of, counter in_work = {})
    : handler_{std::move(handler)}, of_{of}, in_work_{std::move(in_work)} {
  }
  reply_once(const reply_once&) = delete;
  reply_once& operator=(const reply_once&) = delete;

  ~reply_once() {
    deliver(fail(ec::unavailable, "send request: the controller is closing",
                 "the outcome is unknown; inspect the object"));
  }

  void deliver(result<reply> x) {
    if (answered_.exchange(true))
      return;
    if (in_work_)
      in_work_->fetch_sub(1);
    // What the handler holds goes in its scope too: maybe the backend.
    auto scope = handler_scope{of_};
    auto handler = std::exchange(handler_, nullptr);
    call_handler(of_, "handler of a reply", handler, std::move(x));
  }

private:
  reply_handler handler_;
  const void* of_;
  counter in_work_;
  std::atomic<bool> answered_ = false;
};

} // namespace troupe
