#pragma once

#include "troupe/actors/api/http_client.hpp"

#include <deque>
#include <functional>
#include <thread>

namespace troupe {

/// Called once with what came of a request.
using http_completion = std::function<void(result<http_response>)>;

/// Runs many requests at once on one thread of its own.
/// @thread_safety All methods may be called from any thread.
class http_worker {
public:
  explicit http_worker(http_client& pool);
  http_worker(const http_worker&) = delete;
  http_worker& operator=(const http_worker&) = delete;

  /// Requests that are still open end with `unavailable`.
  ~http_worker();

  /// Starts a request; the completion runs on the worker's thread. With too
  /// many open ones it gets `unavailable` at once, on the caller's thread.
  void submit(http_request what, http_completion done);

private:
  struct job {
    http_request what;
    due_time due;
    http_completion done;
    std::unique_ptr<http_connection> connection = {}; ///< Null: waits for one.
    bool is_ready = true;                             ///< To go on.
  };

  void run();
  bool take_submitted();
  void start_waiting();
  void go_on();
  void end_overdue();
  void sleep();
  void finish(job& x, result<http_response> outcome);

  http_client& pool_;
  wake_signal wake_;
  std::vector<job> running_; ///< This and the next: the worker's thread only.
  std::deque<job> waiting_;
  std::mutex mutex_;
  std::vector<job> submitted_;
  size_t open_ = 0; ///< Submitted, waiting and running.
  bool stopping_ = false;
  std::thread thread_;
};

} // namespace troupe
