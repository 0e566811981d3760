#pragma once

#include "troupe/actors/api/messages.hpp"

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::tools {

/// One client's queue of events, as the text of server-sent events.
///
/// Who reads and finds nothing goes to sleep; who writes wakes the reader. The
/// callback given to `read` and the one given at construction are called with
/// the stream's lock held, so that no wake-up gets lost between the two.
/// @thread_safety All methods may be called from any thread.
class event_stream {
public:
  using text = std::shared_ptr<const std::string>;

  /// @param wake called when the sleeping reader shall read again.
  event_stream(size_t max_events, std::function<void()> wake);

  /// Appends an event. A reader that is too slow loses the stream: better an
  /// end that is seen than a gap that is not.
  void push(text x);

  /// Ends the stream after what is queued.
  void close();

  /// Fills a buffer. @returns the number of bytes; 0 after calling `sleep`, as
  /// there is nothing yet; nothing at the end of the stream.
  std::optional<size_t>
  read(char* buffer, size_t capacity, const std::function<void()>& sleep);

private:
  void wake_reader();

  std::mutex mutex_;
  size_t max_events_;
  std::function<void()> wake_;
  std::deque<text> queue_;
  size_t offset_ = 0; ///< Bytes of the first text that were read.
  bool closed_ = false;
  bool sleeping_ = false;
};

/// Distributes events to streams and remembers the last ones, so that a client
/// that was cut off can go on where it was.
/// @thread_safety All methods may be called from any thread.
class event_hub {
public:
  event_hub(size_t max_streams, size_t max_events);

  /// Tells everybody.
  void publish(const event& x);

  /// Opens a stream. @param last_seen number of the last event the client has;
  /// later ones that are remembered come first.
  /// @returns null when there are too many streams.
  std::shared_ptr<event_stream>
  open(std::optional<uint64_t> last_seen, std::function<void()> wake);

  void remove(const std::shared_ptr<event_stream>& x);

  /// Sends a comment, so that dead clients are noticed.
  void ping();

  /// Ends all streams; no new one is opened.
  void close();

  size_t size() const;

private:
  struct remembered {
    uint64_t sequence = 0;
    event_stream::text text;
  };

  mutable std::mutex mutex_;
  size_t max_streams_;
  size_t max_events_;
  bool closed_ = false;
  std::deque<remembered> history_;
  std::vector<std::shared_ptr<event_stream>> streams_;
};

} // namespace troupe::tools
