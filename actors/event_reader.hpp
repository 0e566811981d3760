#pragma once

#include "troupe/actors/backend.hpp"
#include "troupe/actors/backoff.hpp"
#include "troupe/actors/http_connection.hpp"

#include <atomic>
#include <future>
#include <thread>

namespace troupe {

/// Cuts a stream of server-sent events into events.
class event_parser {
public:
  /// Takes the next bytes and calls `handler` for each event they complete.
  /// Errors: `invalid_argument` for an event that is none or has no end.
  result<void> feed(std::string_view bytes, const event_handler& handler);

  /// Forgets a half-read event, before a new connection.
  void reset();

private:
  result<void> take_line(std::string_view line, const event_handler& handler);

  std::string line_;
  std::string data_;
};

/// Reads the daemon's events on a thread of its own. When the connection is
/// lost it delivers an event `daemon`/`disconnect` and tries again until it
/// delivers `daemon`/`connect`; both have sequence 0, as they come from here.
class event_reader {
public:
  static constexpr uint64_t all_known = UINT64_MAX;

  /// @param after begins with what came after that number; with one that the
  /// daemon never gave (`all_known`) with all it still knows.
  event_reader(std::string socket_path, event_handler handler,
               uint64_t after = 0);
  event_reader(const event_reader&) = delete;
  event_reader& operator=(const event_reader&) = delete;

  /// Waits until the handler is not running any more.
  /// @pre not called from the handler.
  ~event_reader();

  /// Waits for the first connection. Errors: those of a request.
  result<void> wait_until_open();

  /// Stops reading without waiting; safe inside the handler.
  void stop();

  /// True when it was stopped and its thread has nothing left to do.
  bool has_ended() const {
    return ended_;
  }

private:
  void run();
  result<http_response> read_stream();
  result<void> take(std::string_view bytes);
  void report(const char* action, const std::string& reason);
  void settle(result<void> outcome);

  std::string socket_path_;
  event_handler handler_;
  event_parser parser_;
  wake_signal wake_;
  /// Between two attempts to connect; a restart of the daemon takes about as
  /// long as the first.
  backoff pauses_{std::chrono::milliseconds{200}, std::chrono::seconds{5}};
  std::atomic<bool> stopping_ = false;
  std::atomic<bool> ended_ = false;
  bool settled_ = false; ///< The promise was kept.
  bool open_ = false;    ///< This connection has delivered bytes.
  std::promise<result<void>> opened_;
  uint64_t last_sequence_;
  std::thread thread_;
};

} // namespace troupe
