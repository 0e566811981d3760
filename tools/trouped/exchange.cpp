#include "troupe/tools/trouped/exchange.hpp"

#include <microhttpd.h>

namespace troupe::tools {

bool exchange::settle(result<reply> x) {
  auto guard = std::lock_guard{mutex_};
  if (outcome_)
    return false;
  outcome_.emplace(std::move(x));
  // Still under the lock: once resumed, the server's thread may finish with
  // the connection at any moment.
  MHD_resume_connection(connection);
  return true;
}

bool pending_requests::add(const std::shared_ptr<exchange>& x, size_t limit) {
  auto guard = std::lock_guard{mutex_};
  return !closed_ && open_.size() < limit && open_.insert(x).second;
}

void pending_requests::remove(const std::shared_ptr<exchange>& x) {
  auto guard = std::lock_guard{mutex_};
  open_.erase(x);
  if (open_.empty())
    empty_.notify_all();
}

std::vector<std::shared_ptr<exchange>>
pending_requests::drain(std::chrono::milliseconds grace) {
  auto guard = std::unique_lock{mutex_};
  // What comes from here on is refused: it would be suspended when the server
  // stops, and libmicrohttpd ends the program then.
  closed_ = true;
  empty_.wait_for(guard, grace, [this] {
    return open_.empty();
  });
  return {open_.begin(), open_.end()};
}

size_t pending_requests::size() const {
  auto guard = std::lock_guard{mutex_};
  return open_.size();
}

std::string audit_name(const request& x) {
  return std::visit(
    []<class T>(const T& what) -> std::string {
      auto name = std::string{};
      if constexpr (requires { what.spec.name; })
        name = what.spec.name;
      if constexpr (requires { what.sandbox; })
        if (name.empty())
          name = what.sandbox;
      return name;
    },
    x);
}

} // namespace troupe::tools
