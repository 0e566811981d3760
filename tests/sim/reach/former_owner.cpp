#include "troupe/tests/sim/reach/former_owner.hpp"

#include "troupe/tests/sim/reach/sim_world.hpp"

namespace troupe::test::reach {

std::string check_former_owner() {
  using kind = step::kind;
  auto result = std::string{};
  // Of a routed network the port is the endpoint's own, else the host's.
  for (auto how : {mode::nat, mode::routed}) {
    auto x = plan{};
    x.seed = 1;
    x.networks[0] = {how, true, true};
    for (auto tcp : {true, false}) {
      x.steps.clear();
      for (auto what : {kind::attach, kind::publish, kind::detach}) {
        auto next = step{};
        next.what = what;
        next.address = 10;
        next.port = {8080, 80, tcp, host_side::any, 0};
        x.steps.push_back(next);
      }
      x.steps.push_back(x.steps[0]);
      x.steps.back().sandbox = 1;
      result += run_simulated(x);
    }
  }
  return result;
}

} // namespace troupe::test::reach
