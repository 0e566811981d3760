#include "troupe/actors/api/http_client.hpp"

#include <utility>

namespace troupe {

namespace {

/// Connections kept for the next request; more are closed after use.
constexpr size_t max_idle = 32;

} // namespace

http_client::http_client(std::string socket_path)
  : socket_path_{std::move(socket_path)} {
}

result<http_response> http_client::perform(http_request what) {
  auto connection = take();
  auto due = due_after(what.deadline);
  connection->start(std::move(what), due);
  for (;;) {
    if (auto response = connection->go_on()) {
      give(std::move(connection));
      return std::move(*response);
    }
    auto awaited = connection->awaited();
    poll_until({&awaited, 1}, connection->wake_time());
  }
}

std::unique_ptr<http_connection> http_client::take() {
  auto guard = std::lock_guard{mutex_};
  if (idle_.empty())
    return std::make_unique<http_connection>(socket_path_);
  auto result = std::move(idle_.back());
  idle_.pop_back();
  return result;
}

void http_client::give(std::unique_ptr<http_connection> x) {
  auto guard = std::lock_guard{mutex_};
  if (idle_.size() < max_idle)
    idle_.push_back(std::move(x));
}

} // namespace troupe
