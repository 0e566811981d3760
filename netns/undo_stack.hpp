#pragma once

#include <functional>
#include <utility>
#include <vector>

namespace troupe::netns {

/// The inverse steps of an operation that is under way. Runs them, last one
/// first, unless the operation ends with `commit`.
///
/// Push the inverse right after its step and capture by value: locals that are
/// declared later die earlier. Steps return nothing, so that the error that
/// made them necessary is the one that is reported.
class undo_stack {
public:
  undo_stack() = default;
  undo_stack(const undo_stack&) = delete;
  undo_stack& operator=(const undo_stack&) = delete;

  ~undo_stack() {
    for (auto i = steps_.rbegin(); i != steps_.rend(); ++i)
      (*i)();
  }

  /// Adds the inverse of the step just done. @pre `step` does not throw.
  void push(std::function<void()> step) {
    steps_.push_back(std::move(step));
  }

  /// The operation succeeded: forgets all steps.
  void commit() {
    steps_.clear();
  }

private:
  std::vector<std::function<void()>> steps_;
};

} // namespace troupe::netns
