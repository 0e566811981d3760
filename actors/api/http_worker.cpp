#include "troupe/actors/api/http_worker.hpp"

#include "troupe/actors/api/failure_board.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace troupe {

namespace {

/// Open requests of one process; the daemon's own limit is as large.
constexpr size_t max_open = 1'024;

/// Connections at once; the other requests wait for one of them.
constexpr size_t max_connections = 64;

} // namespace

http_worker::http_worker(http_client& pool) : pool_{pool} {
  thread_ = std::thread{[this] {
    run();
  }};
}

http_worker::~http_worker() {
  {
    auto guard = std::lock_guard{mutex_};
    stopping_ = true;
  }
  wake_.raise();
  thread_.join();
}

void http_worker::submit(http_request what, http_completion done) {
  auto due = due_after(what.deadline);
  auto accepted = false;
  {
    auto guard = std::lock_guard{mutex_};
    accepted = open_ < max_open && !stopping_;
    if (accepted) {
      ++open_;
      submitted_.push_back({std::move(what), due, std::move(done)});
    }
  }
  if (accepted)
    wake_.raise();
  else
    done(fail(ec::unavailable, "request " + what.operation + ": "
                                 + std::to_string(max_open)
                                 + " requests are open already"));
}

void http_worker::run() {
  while (take_submitted()) {
    start_waiting();
    go_on();
    end_overdue();
    sleep();
  }
  const auto why = error{ec::unavailable,
                         "request: the connection was closed by this program",
                         "the outcome is unknown", 0};
  for (auto& x : running_)
    finish(x, fail(why));
  for (auto& x : waiting_)
    finish(x, fail(why));
}

/// @returns false when there is nothing more to do.
bool http_worker::take_submitted() {
  auto guard = std::lock_guard{mutex_};
  std::ranges::move(submitted_, std::back_inserter(waiting_));
  submitted_.clear();
  return !stopping_;
}

void http_worker::start_waiting() {
  while (!waiting_.empty() && running_.size() < max_connections) {
    auto x = std::move(waiting_.front());
    waiting_.pop_front();
    x.connection = pool_.take();
    x.connection->start(std::move(x.what), x.due);
    running_.push_back(std::move(x));
  }
}

// Handlers see a worker that is done with their request: they may submit.
void http_worker::go_on() {
  for (auto i = size_t{0}; i < running_.size();) {
    auto outcome = running_[i].is_ready
                     ? running_[i].connection->go_on()
                     : std::optional<result<http_response>>{};
    if (!outcome) {
      ++i;
      continue;
    }
    std::swap(running_[i], running_.back());
    auto x = std::move(running_.back());
    running_.pop_back();
    pool_.give(std::move(x.connection));
    finish(x, std::move(*outcome));
  }
}

void http_worker::end_overdue() {
  auto now = std::chrono::steady_clock::now();
  auto first = std::stable_partition(waiting_.begin(), waiting_.end(),
                                     [now](const job& x) {
                                       return x.due > now;
                                     });
  auto overdue = std::vector<job>{std::make_move_iterator(first),
                                  std::make_move_iterator(waiting_.end())};
  waiting_.erase(first, waiting_.end());
  for (auto& x : overdue)
    finish(x, fail(out_of_time(x.what)));
}

void http_worker::sleep() {
  auto awaited = std::vector<pollfd>{};
  auto until = never;
  // Who waits has a place as soon as one of the others is done.
  if (!waiting_.empty() && running_.size() < max_connections)
    until = due_time::min();
  for (const auto& x : waiting_)
    until = std::min(until, x.due);
  for (const auto& x : running_) {
    awaited.push_back(x.connection->awaited());
    until = std::min(until, x.connection->wake_time());
  }
  wake_.sleep(awaited, until);
  auto now = std::chrono::steady_clock::now();
  for (auto i = size_t{0}; i < running_.size(); ++i)
    running_[i].is_ready
      = awaited[i].revents != 0 || running_[i].connection->wake_time() <= now;
}

void http_worker::finish(job& x, result<http_response> outcome) {
  {
    auto guard = std::lock_guard{mutex_};
    --open_;
  }
  call_handler(this, "handler of a reply", x.done, std::move(outcome));
}

} // namespace troupe
