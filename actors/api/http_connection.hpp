#pragma once

#include "troupe/actors/api/http_reader.hpp"
#include "troupe/actors/api/polling.hpp"

#include <optional>

namespace troupe {

/// One request. An empty body is sent as none.
struct http_request {
  std::string method = "GET";
  std::string target; ///< Path and query, percent-encoded.
  std::string body;
  std::chrono::milliseconds deadline{0}; ///< 0: none (streams).
  std::string operation;                 ///< For messages.
  std::string header_lines;              ///< More of them, each with its end.
};

/// A connection to a Unix socket, and the request on it. It never waits: who
/// owns it sleeps until what it waits for is there, and calls `go_on`.
///
/// It connects with the first request and again when the other side has closed
/// it since the last one. Once a byte of a request is on its way, the request
/// is not sent again.
/// @thread_safety One thread at a time.
class http_connection {
public:
  explicit http_connection(std::string socket_path);

  /// Begins a request. @param due when it is to end with `timeout`. @param sink
  /// see `http_reader`. @pre none is under way.
  void start(http_request what, due_time due, body_sink sink = {});

  /// Does what can be done without waiting. @returns what came of the request,
  /// once; errors are those of `http_client::perform`.
  std::optional<result<http_response>> go_on();

  /// The descriptor to sleep on; a negative one while there is none.
  pollfd awaited() const;

  /// When to go on even though the descriptor is not ready.
  due_time wake_time() const;

private:
  result<void> connect();
  result<void> send();
  result<void> receive();
  bool is_sending() const;
  bool has_word_or_end() const;
  error hung_up() const;

  std::string socket_path_;
  netns::unique_fd fd_;
  http_request request_;
  due_time due_ = never;
  due_time next_try_ = never; ///< To connect.
  std::string out_;           ///< The request's bytes.
  size_t sent_ = 0;
  bool refused_ = false; ///< The other side takes no more of them.
  bool kept_ = false;    ///< The connection is that of an earlier request.
  std::unique_ptr<http_reader> reader_; ///< While a request is under way.
};

/// When a request that is sent now has to be answered. @param deadline 0: none.
due_time due_after(std::chrono::milliseconds deadline);

/// Why a request was not answered in time.
error out_of_time(const http_request& what);

/// Why nobody can be reached at a socket, from connect's errno.
error unreachable(const std::string& socket_path, int os_error);

} // namespace troupe
