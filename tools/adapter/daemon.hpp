#pragma once

#include "troupe/actors/api/backend.hpp"

#include <chrono>
#include <memory>
#include <string>

namespace troupe::adapter {

/// The daemon, for a program with little time: requests share one deadline.
class daemon_link {
public:
  /// @param deadline from now on, for all requests.
  daemon_link(std::shared_ptr<backend> link,
              std::chrono::milliseconds deadline);

  /// Asks and waits. Errors: those of the request; `timeout` at once when
  /// there is no time left.
  template <class Reply, class Request>
  result<Reply> ask(Request what) {
    auto answer = call(request{std::move(what)});
    if (!answer)
      return fail(std::move(answer.error()));
    if (auto* value = std::get_if<Reply>(&*answer))
      return std::move(*value);
    return fail(ec::internal, "the daemon answers with something else");
  }

  std::chrono::milliseconds time_left() const;

  /// The same daemon with a deadline of its own: to tidy up after another has
  /// passed.
  daemon_link again(std::chrono::milliseconds deadline) const;

private:
  result<reply> call(request what);

  std::shared_ptr<backend> link_;
  std::chrono::steady_clock::time_point due_;
};

/// Nobody can say whether the request was carried out.
inline bool is_outcome_unknown(const error& why) {
  return why.code == ec::unavailable || why.code == ec::timeout
         || why.code == ec::internal;
}

} // namespace troupe::adapter
