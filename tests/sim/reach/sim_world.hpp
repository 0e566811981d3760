#pragma once

#include "troupe/netns/simulated/forwarding.hpp"
#include "troupe/tests/lab/simulated_system.hpp"
#include "troupe/tests/system/model/steps.hpp"

#include <array>
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
  /// Who sends the packets of a flow.
  struct client {
    bool connected = false; ///< TCP: with `server`, through a proxy or not.
    int server = -1;
    bool proxied = false;
    bool broke = false;    ///< TCP: it had to connect anew, in this step.
    bool lasts = false;    ///< It was connected when the last step was done,
    std::string last_path; ///< and depended on this.
  };

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
  std::string do_harm(const step& x);
  void undo(const step& x);

  struct look;
  std::string judge(const step& x, bool told = false);
  template <class F>
  std::string look_at_all(F f);
  std::string try_all();
  std::string keep_sending();
  netns::simulated_listener listener() const;
  std::string disagreement(look& at, size_t i);
  netns::simulated_packet packet_of(size_t i, uint64_t host) const;
  netns::simulated_passage send(look& at, size_t i, bool is_patient);
  void give_up(look& at, size_t i);
  int owner_of(const look& at, uint64_t inode) const;
  std::string broken_connections() const;
  std::string try_tricks(const look& at) const;
  std::string try_lies(const look& at, const netns::simulated_packet& from,
                       int network, int address) const;
  std::string
  try_routes(const look& at, netns::simulated_packet packet, int network) const;
  void remember();
  bool doctor_is_silent();

  plan plan_;
  testing::simulated_system host_;
  state now_;
  std::vector<flow> flows_ = all_flows();
  std::vector<client> clients_;
  std::array<uint64_t, sandbox_count> owners_{}; ///< Inodes.
  size_t first_source_ = 41000; ///< The port of the first flow.
  bool hurries_ = false;        ///< What was asked for last had no time.
  bool leaks_ = false;          ///< Somebody answered who must not.
  std::mt19937_64 random_;
};

/// The hands that the simulated kernel has.
std::vector<hand> simulated_hands();

/// Runs a plan. @returns the first disagreement.
std::string run_simulated(const plan& what);

} // namespace troupe::test::reach
