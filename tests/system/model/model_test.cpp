// Random requests, crashes and foreign hands against the real daemon, and who
// reaches whom all the time.

#include "troupe/tests/system/harness/command.hpp"
#include "troupe/tests/system/harness/isolation.hpp"
#include "troupe/tests/system/model/world.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <random>

namespace troupe::test::reach {

namespace {

// TEST_HANDS: a bit for each hand that takes part.
scope everything() {
  const auto wanted = number_from_environment("TEST_HANDS", ~0UL);
  auto result = scope{};
  for (auto i = 0; i < hand_count; ++i)
    if ((wanted >> i & 1U) != 0)
      result.hands.push_back(static_cast<hand>(i));
  return result;
}

// TEST_SEED replays one plan, TEST_STEPS says how long plans are. Without it
// the plans are the same each time, but with --long: a failure is of the change
// that is tested.
void run_plans(const scope& what) {
  if (!isolation_refusal().empty())
    GTEST_SKIP() << "cannot make scratch namespaces: " << isolation_refusal();
  const auto replay = number_from_environment("TEST_SEED", 0);
  const auto length
    = static_cast<int>(number_from_environment("TEST_STEPS", 12));
  const auto factor = number_from_environment("TEST_FACTOR", 1);
  const auto plans = replay != 0 ? 1 : 10 * factor;
  const auto first = replay != 0  ? replay
                     : factor > 1 ? std::random_device{}()
                                  : 1UL;
  for (auto i = 0UL; i < plans; ++i) {
    auto plan = make_plan(first + i, length, what);
    auto log = std::string{};
    auto wrong = run_plan(plan, &log);
    std::printf("seed %lu: %s\n", plan.seed, wrong.empty() ? "ok" : "WRONG");
    std::fflush(stdout);
    if (wrong.empty())
      continue;
    std::printf("%s%s", plan.text().c_str(), wrong.c_str());
    std::fflush(stdout);
    auto least = shrink(
      plan,
      [](const reach::plan& x) {
        return !run_plan(x).empty();
      },
      static_cast<int>(number_from_environment("TEST_SHRINKS", 25)));
    auto again = run_plan(least);
    ADD_FAILURE() << least.text() << (again.empty() ? wrong : again) << log;
    return;
  }
}

} // namespace

TEST(Model, PacketsGoWhereTheRequestsSayWhateverHappens) {
  run_plans(everything());
}

} // namespace troupe::test::reach
