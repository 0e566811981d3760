// Who reaches whom, as computed from the requests alone, on the simulated
// kernel: thousands of plans.

#include "troupe/tests/sim/reach/former_owner.hpp"
#include "troupe/tests/sim/reach/lost_events.hpp"
#include "troupe/tests/sim/reach/sim_world.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

namespace troupe::test::reach {

namespace {

unsigned long number(const char* name, unsigned long otherwise) {
  const auto* text = std::getenv(name);
  return text != nullptr ? std::strtoul(text, nullptr, 10) : otherwise;
}

constexpr hand not_mended[]
  = {hand::delete_route, hand::wrong_neighbour, hand::forwarding_off,
     hand::bridge_forwarding_off, hand::port_taken};

void run_plans(const scope& what) {
  const auto first = number("TEST_SEED", 1);
  const auto runs
    = number("TEST_SEED", 0) != 0 ? 1 : 150 * number("TEST_FACTOR", 1);
  for (auto seed = first; seed < first + runs; ++seed) {
    auto plan = make_plan(seed, 12, what);
    if (run_simulated(plan).empty())
      continue;
    auto least = shrink(
      plan,
      [](const reach::plan& x) {
        return !run_simulated(x).empty();
      },
      200);
    FAIL() << least.text() << run_simulated(least);
  }
}

} // namespace

TEST(SimulatedModel, PacketsGoWhereTheRequestsSay) {
  auto what = scope{simulated_hands()};
  std::erase_if(what.hands, [](hand x) {
    return std::ranges::find(not_mended, x) != std::end(not_mended);
  });
  what.many_networks = false;
  what.unused_host_ports = false;
  run_plans(what);
}

TEST(SimulatedModel, DISABLED_PacketsGoWhereTheRequestsSayWhateverHappens) {
  run_plans({simulated_hands()});
}

TEST(SimulatedModel, WhoTakesAnAddressDoesNotGetItsFormerOwnersPackets) {
  EXPECT_EQ(check_former_owner(), "");
}

TEST(SimulatedModel, EventsThatWereLostAreMadeUpFor) {
  EXPECT_EQ(check_lost_events(), "");
}

} // namespace troupe::test::reach
