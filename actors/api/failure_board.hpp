#pragma once

#include "troupe/config/model/error.hpp"

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe {

/// Where it is written that one of the actors a system cannot do without has
/// ended, and who wants to know. The first failure counts; what follows comes
/// from it.
/// @thread_safety Everything; handlers run on the thread that reports.
class failure_board {
public:
  using handler = std::function<void(const error&)>;

  /// Calls `what` once: now, if there is a failure, or when it comes.
  void on_failure(handler what);

  /// Writes a failure down. After `close` that is nobody's concern.
  void report(error why);

  /// The system is being ended on purpose.
  void close();

  std::optional<error> failure() const;

  /// The failure, which may be about to be written down: an actor that ends
  /// turns requests away a moment before it says why.
  std::optional<error> wait(std::chrono::milliseconds longest) const;

private:
  mutable std::mutex mutex_;
  mutable std::condition_variable written_;
  std::optional<error> why_;
  std::vector<handler> handlers_;
  bool closed_ = false;
};

/// The exception that is being handled, as an error. @pre in a `catch`.
error describe_exception();

/// Logs what a handler of a user's program threw. @pre in a `catch`.
void log_thrown(std::string_view operation) noexcept;

/// Is this thread in a handler of a user's program that this backend (or
/// system) called? Such a thread carries its actors, so it must not wait for
/// them.
bool is_in_handler(const void* of) noexcept;

/// Says so while it lives.
class handler_scope {
public:
  explicit handler_scope(const void* of) noexcept;
  ~handler_scope();
  handler_scope(const handler_scope&) = delete;
  handler_scope& operator=(const handler_scope&) = delete;

private:
  friend bool is_in_handler(const void* of) noexcept;

  const void* of_;
  const handler_scope* outer_;
};

/// Calls a handler of a user's program. Its exceptions are not ours: they are
/// logged, and the caller goes on.
template <class Handler, class... Args>
void call_handler(const void* of, std::string_view operation,
                  const Handler& handler, Args&&... args) noexcept {
  auto scope = handler_scope{of};
  try {
    handler(std::forward<Args>(args)...);
  } catch (...) {
    log_thrown(operation);
  }
}

} // namespace troupe
