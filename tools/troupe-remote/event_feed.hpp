#pragma once

#include "troupe/actors/api/backend.hpp"
#include "troupe/tools/troupe-remote/frames.hpp"
#include "troupe/tools/troupe-remote/limits.hpp"
#include "troupe/tools/troupe-remote/request_memory.hpp"

#include <deque>
#include <vector>

namespace troupe::tools::remote {

/// The last events, for everybody who asks: one subscription at the daemon
/// serves all peers, and a slow one holds nobody up.
class event_feed {
public:
  /// As many as the daemon itself keeps.
  static constexpr size_t max_events = 1'024;

  /// One answer's worth; several KiB each at most.
  static constexpr size_t max_page = 128;

  /// No connection may be silent for longer, or it looks dead.
  static constexpr int64_t longest_wait_ms = 30'000;

  event_feed();

  /// Takes the next event.
  void add(event x);

  /// An answer that is due.
  struct due {
    asker who;
    events_page page;
  };

  /// Answers at once, or when there is something to say.
  std::vector<due> ask(asker who, const question& q, steady_time now);

  /// Answers those who waited for an event, or long enough.
  std::vector<due> collect(steady_time now);

  /// Forgets those of a connection.
  void drop(uint64_t connection);

private:
  struct waiter {
    asker who;
    uint64_t next = 0;
    steady_time until;
  };

  uint64_t end() const {
    return first_ + events_.size();
  }
  events_page page_from(uint64_t next) const;

  uint64_t number_;    ///< Of this feed: another run has another.
  uint64_t first_ = 1; ///< Position of the oldest event kept.
  std::deque<event> events_;
  std::vector<waiter> waiting_;
};

} // namespace troupe::tools::remote
