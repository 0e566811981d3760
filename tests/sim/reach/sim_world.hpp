#pragma once

#include "troupe/netns/simulated_forwarding.hpp"
#include "troupe/testing/simulated_system.hpp"
#include "troupe/tests/system/model/steps.hpp"

#include <random>
#include <string>
#include <vector>

namespace troupe::test::reach {

/// The world of the system test once more, on the simulated kernel.
class sim_world {
public:
  explicit sim_world(const plan& what);

  /// Carries the plan out. @returns the first disagreement; empty: none.
  std::string run();

private:
  std::string build();
  std::string create_network(int number);
  std::string create_sandbox(int number);

  std::string carry_out(const step& x);
  std::string ask(const step& x, const state& after);
  std::vector<request> requests_of(const step& x) const;
  std::string settle_unknown(const state& after);
  std::string listed();
  std::string must(request x);

  std::string interfere(const step& x);
  void undo(const step& x);

  std::string judge(bool told = false);
  std::string try_all();
  std::string try_one(const netns::simulated_view& view, size_t i);
  void forget(const netns::simulated_view& view);
  int owner_of(const netns::simulated_view& view, uint64_t inode) const;
  bool doctor_is_silent();

  plan plan_;
  testing::simulated_system host_;
  state now_;
  std::vector<flow> flows_ = all_flows();
  std::array<uint64_t, sandbox_count> owners_{}; ///< Inodes.
  std::vector<netns::simulated_connection> tracked_;
  size_t first_source_ = 41000; ///< The port of the first flow.
  size_t forgotten_ = 0;        ///< Requests of the daemon to forget some.
  bool leaks_ = false;          ///< Somebody answered who must not.
  std::mt19937_64 random_;
};

/// The hands that the simulated kernel has.
std::vector<hand> simulated_hands();

/// Runs a plan. @returns the first disagreement.
std::string run_simulated(const plan& what);

} // namespace troupe::test::reach
