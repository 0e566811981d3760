#pragma once

#include "troupe/tests/system/harness/daemon.hpp"
#include "troupe/tests/system/kill/told.hpp"
#include "troupe/tests/system/kill/world.hpp"

#include <atomic>
#include <optional>
#include <random>
#include <string>

namespace troupe::test {

/// One of the clients that work while the daemon is killed. Keeps the books:
/// what was acknowledged, and which one operation was under way.
class kill_client {
public:
  /// @param number names the client's objects `c<number>…`.
  /// @param log is told everything; outlives this object.
  kill_client(int number, std::string shared_network, unsigned long seed,
              testing::history& log);

  /// Sends operations until the daemon does not answer any more.
  /// @param killed set before the daemon is killed.
  void work(const daemon_process& daemon, const std::atomic<bool>& killed);

  /// Compares with what the restarted daemon lists. The operation that was
  /// under way may have happened or not, as a whole.
  /// @returns the contradictions; empty if there are none.
  std::string
  check(const nlohmann::json& networks, const nlohmann::json& endpoints,
        const nlohmann::json& sandboxes);

  /// What went wrong while working; empty if nothing did.
  const std::string& complaint() const {
    return complaint_;
  }

  /// Acknowledged operations so far.
  uint64_t acknowledged() const {
    return acknowledged_;
  }

  /// Operations that were under way at a kill, and of these the ones that had
  /// happened.
  uint64_t interrupted() const {
    return interrupted_;
  }
  uint64_t happened() const {
    return happened_;
  }

private:
  std::string prefix_;
  std::string shared_;
  std::mt19937 random_;
  world world_;
  told told_;
  std::optional<operation> pending_;
  std::string complaint_;
  uint64_t acknowledged_ = 0;
  uint64_t interrupted_ = 0;
  uint64_t happened_ = 0;
};

} // namespace troupe::test
