#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <utility>

namespace troupe {

/// Goes on when steps that run side by side have all ended. Called once for
/// each of them, with whatever they end with, so that it is a handler of
/// replies as well. Copies share the count.
/// @thread_safety Of one actor.
class count_down {
public:
  /// @pre `steps` > 0.
  count_down(size_t steps, std::function<void()> next)
    : shared_{std::make_shared<state>(state{steps, std::move(next)})} {
  }

  template <class... Ends>
  void operator()(const Ends&...) const {
    if (--shared_->missing == 0)
      shared_->next();
  }

private:
  struct state {
    size_t missing;
    std::function<void()> next;
  };
  std::shared_ptr<state> shared_;
};

} // namespace troupe
