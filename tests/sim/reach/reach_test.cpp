// Who reaches whom, as computed from the requests alone, on the simulated
// kernel: thousands of plans.

#include "troupe/tests/sim/reach/former_owner.hpp"
#include "troupe/tests/sim/reach/sim_world.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <random>

namespace troupe::test::reach {

namespace {

constexpr auto usual_plans = 2000UL;

unsigned long number(const char* name, unsigned long otherwise) {
  const auto* text = std::getenv(name);
  return text != nullptr ? std::strtoul(text, nullptr, 10) : otherwise;
}

// TEST_SEED replays one plan, TEST_STEPS says how long plans are, TEST_PLANS
// how many. The usual ones are the same each time: a failure is of the change
// that is tested.
void run_plans(const scope& what) {
  const auto replay = number("TEST_SEED", 0);
  const auto factor = number("TEST_FACTOR", 1);
  const auto length = static_cast<int>(number("TEST_STEPS", 12));
  const auto first = replay != 0  ? replay
                     : factor > 1 ? std::random_device{}()
                                  : 1UL;
  const auto plans
    = replay != 0 ? 1 : factor * number("TEST_PLANS", usual_plans);
  for (auto seed = first; seed < first + plans; ++seed) {
    auto plan = make_plan(seed, length, what);
    auto wrong = run_simulated(plan);
    if (wrong.empty())
      continue;
    std::printf("seed %lu: %s%s", seed, plan.text().c_str(), wrong.c_str());
    auto least = shrink(
      plan,
      [](const reach::plan& x) {
        return !run_simulated(x).empty();
      },
      200);
    FAIL() << least.text() << run_simulated(least);
  }
  std::cout << "fault count: random seeds: " << plans << "\n";
}

} // namespace

TEST(SimulatedModel, PacketsGoWhereTheRequestsSayWhateverHappens) {
  run_plans({simulated_hands()});
}

TEST(SimulatedModel, WhoTakesAnAddressDoesNotGetItsFormerOwnersPackets) {
  EXPECT_EQ(check_former_owner(), "");
}

} // namespace troupe::test::reach
