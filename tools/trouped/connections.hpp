#pragma once

#include "troupe/config/model/error.hpp"

#include <chrono>
#include <list>
#include <map>
#include <mutex>
#include <string>

#include <sys/types.h>

namespace troupe::tools {

/// Who is at the other end of a Unix socket; the kernel vouches for it. The
/// process number is for the logs only: it may be another process by now.
struct peer {
  uid_t uid = 0;
  gid_t gid = 0;
  pid_t pid = 0;
};

/// Reads SO_PEERCRED. Errors: those of getsockopt.
result<peer> peer_of(int socket_fd);

/// The open connections: counts them per user, and finds those that take too
/// long to send a request. libmicrohttpd's own timeout only sees silence, not
/// a byte now and then.
/// @thread_safety All methods may be called from any thread.
class connection_registry {
public:
  using clock = std::chrono::steady_clock;

  /// One connection. `who` and `refused` are fixed.
  struct connection {
    int fd = -1;
    peer who;
    bool refused = false; ///< Its user has too many.
    bool reading = true;  ///< Waiting for (the rest of) a request.
    clock::time_point reading_since;
  };

  /// A stable reference to a connection; ends with `remove`.
  using handle = std::list<connection>::iterator;

  /// @param per_user limit for each user but root.
  explicit connection_registry(size_t per_user);

  handle add(int fd);
  void remove(handle x);

  /// A request is there completely; the reply may take its time.
  void end_reading(handle x);

  /// The reply is out; the next request may come.
  void begin_reading(handle x);

  /// Hangs up on everybody who has been sending one request, or none, for
  /// longer than that. @returns how many.
  size_t hang_up_slow(clock::duration longest);

  size_t size() const;

private:
  mutable std::mutex mutex_;
  size_t per_user_;
  std::list<connection> connections_;
  std::map<uid_t, size_t> users_;
};

} // namespace troupe::tools
