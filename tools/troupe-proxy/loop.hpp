#pragma once

#include "troupe/netns/unique_fd.hpp"

#include <chrono>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace troupe::proxy {

using netns::unique_fd;

/// Somebody whose descriptors the loop watches.
class event_handler {
public:
  event_handler() = default;
  event_handler(const event_handler&) = delete;
  event_handler& operator=(const event_handler&) = delete;
  virtual ~event_handler() = default;

  /// Something happened to one of its descriptors, or it asked for another
  /// turn (then `events` is 0). May destroy the handler.
  virtual void on_event(uint32_t events) = 0;
};

/// epoll with handlers that may vanish at any time: events name them by
/// numbers that are never used twice.
class event_loop {
public:
  using clock = std::chrono::steady_clock;

  event_loop();

  /// False if epoll could not be set up.
  bool is_open() const {
    return static_cast<bool>(epoll_);
  }

  /// Makes a handler known. @returns its number.
  uint64_t enter(event_handler& handler);

  /// The handler gets no more events. Its descriptors are to be closed.
  void leave(uint64_t number);

  /// Watches a descriptor for a handler, level-triggered unless `events` says
  /// EPOLLET. @returns false with errno set.
  bool watch(int fd, uint32_t events, uint64_t number);

  /// Changes what a watched descriptor is watched for.
  void change(int fd, uint32_t events, uint64_t number);

  /// The handler is called again in the next turn without an event.
  void call_again(uint64_t number);

  /// Waits for events, at most so long, and handles them.
  void turn(std::chrono::milliseconds patience);

  /// Time at the beginning of the turn.
  clock::time_point now() const {
    return now_;
  }

private:
  void call(uint64_t number, uint32_t events);

  unique_fd epoll_;
  uint64_t next_ = 1;
  std::unordered_map<uint64_t, event_handler*> handlers_;
  std::vector<uint64_t> again_;
  clock::time_point now_ = clock::now();
};

} // namespace troupe::proxy
