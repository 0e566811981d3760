#pragma once

#include "troupe/actors/backend.hpp"
#include "troupe/actors/backoff.hpp"
#include "troupe/actors/http_client.hpp"

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
  event_reader(const std::string& socket_path, event_handler handler);
  event_reader(const event_reader&) = delete;
  event_reader& operator=(const event_reader&) = delete;

  /// Waits until the handler is not running any more.
  /// @pre not called from the handler.
  ~event_reader();

  /// Waits for the first connection. Errors: those of a request.
  result<void> wait_until_open();

  /// Stops reading without waiting; safe inside the handler.
  void stop();

  /// True on the thread that calls the handler.
  bool is_own_thread() const {
    return std::this_thread::get_id() == thread_.get_id();
  }

private:
  static size_t on_data(char* data, size_t size, size_t count, void* self);
  void run();
  CURLcode read_stream();
  void report(const char* action, const std::string& reason);
  void settle(result<void> outcome);
  void pause_before_retry();

  http_transfer transfer_;
  event_handler handler_;
  event_parser parser_;
  multi_handle multi_;
  /// Between two attempts to connect; a restart of the daemon takes about as
  /// long as the first.
  backoff pauses_{std::chrono::milliseconds{200}, std::chrono::seconds{5}};
  std::atomic<bool> stopping_ = false;
  bool settled_ = false; ///< The promise was kept.
  bool open_ = false;    ///< This connection has delivered bytes.
  std::promise<result<void>> opened_;
  uint64_t last_sequence_ = 0;
  std::thread thread_;
};

} // namespace troupe
