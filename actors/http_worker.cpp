#include "troupe/actors/http_worker.hpp"

#include "troupe/actors/failure_board.hpp"

#include <utility>

namespace troupe {

namespace {

/// Open requests of one process; the daemon's own limit is as large.
constexpr size_t max_open = 1'024;

/// Connections at once; the other requests wait for one of them.
constexpr long max_connections = 64;

/// libcurl wakes up for its own timers; this is only the longest sleep.
constexpr int poll_ms = 1'000;

} // namespace

http_worker::http_worker(http_client& pool)
  : pool_{pool}, multi_{curl_multi_init()} {
  (void)curl_multi_setopt(multi_.get(), CURLMOPT_MAX_TOTAL_CONNECTIONS,
                          max_connections);
  (void)curl_multi_setopt(multi_.get(), CURLMOPT_MAXCONNECTS, max_connections);
  thread_ = std::thread{[this] {
    run();
  }};
}

http_worker::~http_worker() {
  {
    auto guard = std::lock_guard{mutex_};
    stopping_ = true;
  }
  (void)curl_multi_wakeup(multi_.get());
  thread_.join();
}

void http_worker::submit(http_request what, http_completion done) {
  auto accepted = false;
  {
    auto guard = std::lock_guard{mutex_};
    accepted = open_ < max_open && !stopping_;
    if (accepted) {
      ++open_;
      waiting_.push_back({std::move(what), std::move(done), nullptr});
    }
  }
  if (accepted)
    (void)curl_multi_wakeup(multi_.get());
  else
    done(fail(ec::unavailable, "request " + what.operation + ": "
                                 + std::to_string(max_open)
                                 + " requests are open already"));
}

void http_worker::run() {
  for (;;) {
    {
      auto guard = std::lock_guard{mutex_};
      if (stopping_)
        break;
    }
    start_waiting();
    auto left = 0;
    (void)curl_multi_perform(multi_.get(), &left);
    finish_ready();
    (void)curl_multi_poll(multi_.get(), nullptr, 0, poll_ms, nullptr);
  }
  for (auto& [handle, x] : running_) {
    (void)curl_multi_remove_handle(multi_.get(), handle);
    abandon(std::move(x));
  }
  running_.clear();
  for (auto& x : std::exchange(waiting_, {}))
    abandon(std::move(x));
}

void http_worker::start_waiting() {
  auto fresh = std::vector<job>{};
  {
    auto guard = std::lock_guard{mutex_};
    fresh.swap(waiting_);
  }
  for (auto& x : fresh) {
    x.transfer = pool_.take();
    x.transfer->prepare(std::move(x.what));
    auto* handle = x.transfer->handle();
    (void)curl_multi_add_handle(multi_.get(), handle);
    running_.emplace(handle, std::move(x));
  }
}

void http_worker::finish_ready() {
  auto left = 0;
  while (auto* message = curl_multi_info_read(multi_.get(), &left)) {
    if (message->msg != CURLMSG_DONE)
      continue;
    // The message lives in the handle, so its content is read first.
    auto code = message->data.result;
    auto* handle = message->easy_handle;
    auto found = running_.extract(handle);
    auto& x = found.mapped();
    auto response = x.transfer->finish(code);
    (void)curl_multi_remove_handle(multi_.get(), handle);
    pool_.give(std::move(x.transfer));
    {
      auto guard = std::lock_guard{mutex_};
      --open_;
    }
    call_handler(this, "handler of a reply", x.done, std::move(response));
  }
}

void http_worker::abandon(job x) {
  call_handler(this, "handler of a reply", x.done,
               result<http_response>{
                 fail(ec::unavailable,
                      "request: the connection was closed by this program",
                      "the outcome is unknown")});
}

} // namespace troupe
