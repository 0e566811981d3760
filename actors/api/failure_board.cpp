#include "troupe/actors/api/failure_board.hpp"

#include "troupe/actors/api/log.hpp"

#include <cerrno>
#include <exception>
#include <new>

#include <system_error>

namespace troupe {

// -- the board ----------------------------------------------------------------

void failure_board::on_failure(handler what) {
  auto why = std::optional<error>{};
  {
    auto guard = std::lock_guard{mutex_};
    why = why_;
    if (!why && !closed_)
      handlers_.push_back(std::move(what));
  }
  if (why)
    what(*why);
}

void failure_board::report(error why) {
  auto handlers = std::vector<handler>{};
  {
    auto guard = std::lock_guard{mutex_};
    if (closed_ || why_)
      return;
    why_ = why;
    handlers = std::exchange(handlers_, {});
  }
  written_.notify_all();
  log().critical("{}", why.message);
  for (const auto& x : handlers)
    x(why);
}

void failure_board::close() {
  {
    auto guard = std::lock_guard{mutex_};
    closed_ = true;
    handlers_.clear();
  }
  written_.notify_all();
}

std::optional<error> failure_board::failure() const {
  auto guard = std::lock_guard{mutex_};
  return why_;
}

std::optional<error>
failure_board::wait(std::chrono::milliseconds longest) const {
  auto guard = std::unique_lock{mutex_};
  written_.wait_for(guard, longest, [this] {
    return why_ || closed_;
  });
  return why_;
}

// -- exceptions ---------------------------------------------------------------

error describe_exception() {
  try {
    throw;
  } catch (const std::bad_alloc&) {
    return {ec::unavailable, "out of memory", "", ENOMEM};
  } catch (const std::system_error& why) {
    // A thread that could not be started, most of the time.
    return {ec::unavailable, why.what(), "is a limit too low, such as nproc?",
            why.code().value()};
  } catch (const std::exception& why) {
    return {ec::internal, std::string{"exception: "} + why.what(), "", 0};
  } catch (...) {
    return {ec::internal, "exception of an unknown kind", "", 0};
  }
}

void log_thrown(std::string_view operation) noexcept {
  try {
    log().error("{}: {}", operation, describe_exception().message);
  } catch (...) {
    // Out of memory, most likely: there is nobody to tell.
  }
}

// -- handlers -----------------------------------------------------------------

namespace {

thread_local const handler_scope* innermost = nullptr;

} // namespace

bool is_in_handler(const void* of) noexcept {
  for (const auto* x = innermost; x != nullptr; x = x->outer_)
    if (x->of_ == of)
      return true;
  return false;
}

handler_scope::handler_scope(const void* of) noexcept
  : of_{of}, outer_{innermost} {
  innermost = this;
}

handler_scope::~handler_scope() {
  innermost = outer_;
}

} // namespace troupe
