#include "troupe/tools/trouped/log_queue.hpp"

#include <cerrno>
#include <csignal>
#include <string_view>
#include <thread>
#include <utility>

#include <poll.h>
#include <unistd.h>

namespace troupe::tools {

std::shared_ptr<log_queue> log_queue::start(int fd, size_t max_bytes) {
  auto result = std::shared_ptr<log_queue>{new log_queue{fd, max_bytes}};
  // Signals are for the threads of those who handle them.
  auto all = sigset_t{};
  auto before = sigset_t{};
  ::sigfillset(&all);
  (void)::pthread_sigmask(SIG_SETMASK, &all, &before);
  // It may stand still in a write for good, so nobody waits for its end.
  auto writer = std::thread{[result] {
    result->run();
  }};
  writer.detach();
  (void)::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return result;
}

log_queue::log_queue(int fd, size_t max_bytes)
  : fd_{fd}, max_bytes_{max_bytes} {
}

void log_queue::push(std::string line) {
  {
    auto guard = std::lock_guard{mutex_};
    bytes_ += line.size();
    lines_.push_back(std::move(line));
    while (bytes_ > max_bytes_ && lines_.size() > 1) {
      bytes_ -= lines_.front().size();
      lines_.pop_front();
      ++dropped_;
      ++untold_;
    }
  }
  filled_.notify_one();
}

bool log_queue::flush(std::chrono::milliseconds longest) {
  auto guard = std::unique_lock{mutex_};
  return empty_.wait_for(guard, longest, [this] {
    return lines_.empty() && !writing_;
  });
}

size_t log_queue::dropped() const {
  auto guard = std::lock_guard{mutex_};
  return dropped_;
}

void log_queue::run() {
  for (;;)
    write_all(next());
}

std::string log_queue::next() {
  auto guard = std::unique_lock{mutex_};
  writing_ = false;
  if (lines_.empty())
    empty_.notify_all();
  filled_.wait(guard, [this] {
    return !lines_.empty();
  });
  writing_ = true;
  if (auto lost = std::exchange(untold_, 0))
    return "the reader of this log was too slow: " + std::to_string(lost)
           + " lines were dropped\n";
  auto line = std::move(lines_.front());
  lines_.pop_front();
  bytes_ -= line.size();
  return line;
}

void log_queue::write_all(const std::string& line) const {
  auto left = std::string_view{line};
  while (!left.empty()) {
    const auto written = ::write(fd_, left.data(), left.size());
    if (written > 0) {
      left.remove_prefix(static_cast<size_t>(written));
      continue;
    }
    if (written < 0 && errno == EINTR)
      continue;
    if (written == 0 || errno != EAGAIN)
      return; // Closed, a full disk: there is nowhere to say so.
    // Somebody has made it non-blocking.
    auto polled = pollfd{fd_, POLLOUT, 0};
    (void)::poll(&polled, 1, -1);
  }
}

} // namespace troupe::tools
