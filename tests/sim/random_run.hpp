#pragma once

#include "troupe/testing/simulated_system.hpp"

#include <cstdint>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace troupe::sim {

/// How many of each came up, over all runs: a test that never crashes anything
/// proves little.
struct tally {
  size_t requests = 0, done = 0, refused = 0;
  size_t faults = 0, crashes = 0, interferences = 0;
};

/// One seed: three clients with 40 random requests, while calls fail, the
/// daemon is killed and somebody else on the host interferes. Then quiet.
class random_run {
public:
  explicit random_run(uint64_t seed);

  /// @returns what is wrong; empty if nothing.
  std::string go();

  const tally& counts() const {
    return counts_;
  }

  /// What happened, one line per event.
  const std::vector<std::string>& history() const {
    return history_;
  }

private:
  struct pending {
    request what;
    std::set<std::string> may_vanish; ///< Acknowledged ids it may remove.
  };

  size_t pick(size_t limit) {
    return static_cast<size_t>(rng_() % limit);
  }
  bool chance(unsigned percent) {
    return pick(100) < percent;
  }
  std::string name(const char* lead, size_t count) {
    return lead + std::to_string(pick(count));
  }
  void note(std::string line) {
    history_.push_back(std::move(line));
  }

  request any_request();
  request any_creation();
  request any_removal();
  std::vector<port_spec> any_ports();
  void send();
  void receive(uint64_t number, result<reply> x);
  void acknowledge(const reply& x);
  std::set<std::string> victims_of(const request& what) const;
  void plan_fault();
  void interfere();
  void restart();
  std::string check_acknowledged();
  std::string be_quiet();

  std::mt19937_64 rng_;
  testing::simulated_system system_;
  tally counts_;
  std::vector<std::string> history_;
  std::map<uint64_t, pending> in_work_;
  uint64_t next_number_ = 0;
  size_t life_ = 0; ///< Replies of a daemon that was killed reach nobody.

  std::map<std::string, std::string> acknowledged_; ///< Id to description.
  std::set<std::string> removed_;                   ///< Acknowledged removals.
};

/// e.g. `attach n1 s2`.
std::string to_string(const request& what);

} // namespace troupe::sim
