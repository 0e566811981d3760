#pragma once

#include "troupe/actors/api/backoff.hpp"
#include "troupe/tools/trouped/listener.hpp"

#include <chrono>
#include <functional>
#include <optional>
#include <string>

namespace troupe::tools {

/// Makes the API's socket again when somebody has removed it: a daemon nobody
/// can reach is as good as none. The first socket is the server's; connections
/// of later ones are handed to it one by one.
/// @thread_safety One thread.
class socket_keeper {
public:
  using clock = std::chrono::steady_clock;
  using taker = std::function<void(netns::unique_fd)>;

  socket_keeper(listener first, std::string group, taker take);

  /// Readable when something was removed beside the socket; -1: look now and
  /// then.
  int changes() const {
    return changes_.get();
  }

  /// Readable when somebody connects; -1: the server's own socket is in place.
  int connections() const {
    return crowded_ ? -1 : accepting_.get();
  }

  /// When `look` is due without any of them.
  std::optional<clock::time_point> due() const {
    return due_;
  }

  /// Accepts who waits, and looks whether the socket is still there.
  void look();

private:
  void accept_all();
  void watch();
  void make_again();

  listener place_;
  std::string group_;
  taker take_;
  netns::unique_fd changes_;   ///< inotify of the directory.
  netns::unique_fd accepting_; ///< The socket made last, but for the first.
  bool crowded_ = false; ///< Descriptors are scarce: who connects has to wait.
  std::optional<clock::time_point> due_;
  backoff pauses_;
};

} // namespace troupe::tools
