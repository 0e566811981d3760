#pragma once

#include "troupe/tests/lab/history.hpp"
#include "troupe/tests/system/kill/world.hpp"

#include <set>
#include <string>
#include <vector>

namespace troupe::test {

/// What one client asked for and was told, for the history of all clients.
/// Objects are `network n`, `sandbox s`, `endpoint n/e`, and `join n/e` for
/// where an endpoint is.
class told {
public:
  explicit told(testing::history& log) : log_{&log} {
  }

  /// @param now the client's world before the operation.
  void ask(const operation& what, const world& now);

  /// It was done. @param reply tells the new object's id.
  void answer(const nlohmann::json& reply);

  /// What is listed of this client's objects.
  void see(const world& listed);

private:
  void begin(std::string object, testing::history::action what,
             std::string value = {});

  testing::history* log_;
  std::vector<testing::history::ticket> open_;
  bool tells_id_ = false;
  std::set<std::string> objects_; ///< Ever asked for.
};

} // namespace troupe::test
