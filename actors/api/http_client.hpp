#pragma once

// HTTP over a Unix socket. Private to `connect_backend`.
//
// Threading: `http_client::perform` may be called from any number of threads;
// each call takes a connection that was kept open, if there is one.
//
// Failure: nothing is ever sent twice. A connection that dies after the request
// went out and before the answer came gives `unavailable`: the outcome is
// unknown, and only the caller can tell whether repeating is harmless.

#include "troupe/actors/api/http_connection.hpp"

#include <mutex>
#include <vector>

namespace troupe {

/// A pool of connections to one socket.
class http_client {
public:
  explicit http_client(std::string socket_path);

  /// Sends a request and waits. Errors: `unavailable` (nobody listens, hung
  /// up), `forbidden` (no right to the socket), `timeout`, `internal` (what
  /// comes is no HTTP). Any HTTP status is a success here.
  result<http_response> perform(http_request what);

  /// Takes a connection out of the pool, or makes one.
  std::unique_ptr<http_connection> take();

  /// Puts a connection back. @pre no request is under way on it.
  void give(std::unique_ptr<http_connection> x);

  const std::string& socket_path() const {
    return socket_path_;
  }

private:
  std::string socket_path_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<http_connection>> idle_;
};

} // namespace troupe
