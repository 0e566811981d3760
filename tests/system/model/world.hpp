#pragma once

#include "troupe/tests/system/harness/daemon.hpp"
#include "troupe/tests/system/model/packets.hpp"
#include "troupe/tests/system/model/steps.hpp"

#include <memory>
#include <string>
#include <vector>

namespace troupe::test::reach {

/// A host with the real daemon, a neighbour on its uplink, three networks and
/// three sandboxes, in which a plan is carried out while packets of all flows
/// are on their way.
class world {
public:
  /// Takes the calling thread into a fresh network namespace.
  explicit world(const plan& what);
  ~world();
  world(const world&) = delete;
  world& operator=(const world&) = delete;

  /// Carries the plan out. @returns the first disagreement; empty: none.
  std::string run();

  /// What the daemon has written.
  std::string log() const {
    return daemon_.log();
  }

private:
  using words = std::vector<std::string>;

  std::string build();
  std::string create_network(int number);
  std::string create_sandbox(int number);

  std::string carry_out(const step& x);
  std::string ask(const step& x, const state& after);
  std::string request(const step& x);
  std::string settle_unknown(const state& after);
  std::string replace(const step& x);
  std::string stop_and_start(const step& x);
  std::string revive();
  bool is_dead();

  std::string interfere(const step& x);
  std::string undo(const step& x);
  std::string take_port();

  std::string judge(const step& x, bool told = false);
  std::string disagreement(size_t i) const;
  std::string broken_connection(size_t i) const;
  void remember();

  std::string must(const words& command);
  std::string troupe(const words& command);
  nlohmann::json get(const std::string& target) const;
  std::string listed() const;

  plan plan_;
  std::string dir_;
  daemon_process daemon_;
  state now_;
  std::vector<flow> flows_ = all_flows();
  std::vector<std::pair<expectation, uint64_t>> before_; ///< Connections.
  std::vector<int> taken_; ///< Sockets of another program.
  std::unique_ptr<packets> packets_;
};

/// Runs a plan in a world of its own. @returns the first disagreement.
/// @param log gets the daemon's log.
std::string run_plan(const plan& what, std::string* log = nullptr);

} // namespace troupe::test::reach
