#pragma once

#include "troupe/actors/api/backend.hpp"
#include "troupe/tests/lab/history.hpp"
#include "troupe/tests/lab/simulated_system.hpp"

#include <string>
#include <vector>

namespace troupe::testing {

/// Translates requests and replies into a history of objects: `network n1`,
/// `sandbox s1`, `endpoint n1/w1`, and for who is where `join n1/w1`.
class request_log {
public:
  /// @param objects how many names of each kind there are.
  explicit request_log(int objects) : objects_{objects} {
  }

  using tickets = std::vector<history::ticket>;

  tickets begin(const request& what);

  /// @param is_trusted false when an error may hide that it was done: actors
  ///        were killed.
  void end(const tickets& which, const request& what, const result<reply>& x,
           bool is_trusted);

  /// Sandboxes, joins and ephemeral endpoints are gone.
  void lose_run_directory();

  /// Nothing is under way any more; this is what there is.
  void settle(const persistence::snapshot& records);

  /// The same without a look.
  void settle() {
    log_.settle();
  }

  std::string check() const {
    return log_.check();
  }

private:
  struct begin_visitor;

  template <class F>
  void for_each_name(const char* lead, F f) const {
    for (auto i = 0; i < objects_; ++i)
      f(lead + std::to_string(i));
  }

  int objects_;
  history log_;
};

} // namespace troupe::testing
