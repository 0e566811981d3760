#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <set>
#include <utility>

namespace troupe::netns::firewall {

/// The netlink port numbers from which this daemon changes the firewall, so
/// that `watch` can tell its changes from those of others. One object is shared
/// by the kernel object of the firewall and the watch.
/// @thread_safety Everything.
class sender_list {
public:
  /// A socket of ours, from now on.
  void add_socket(uint32_t port);

  /// The socket is closed.
  void remove_socket(uint32_t port);

  /// Starts a child of ours: its socket has the child's process number. It
  /// counts for 10 s, because its events may be read after it has ended.
  /// `contains` waits while `start` runs, so no event is read too early.
  /// @param start Returns the process number, 0 if it failed.
  void add_child(const std::function<uint32_t()>& start);

  bool contains(uint32_t port) const;

private:
  using clock = std::chrono::steady_clock;

  mutable std::mutex mutex_;
  std::multiset<uint32_t> sockets_;
  std::deque<std::pair<uint32_t, clock::time_point>> children_; ///< Until when.
};

} // namespace troupe::netns::firewall
