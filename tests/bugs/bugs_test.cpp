// Our own tests under test: each of these bugs must be found, by a run of the
// fault lab, by the fault sweep, or by the test of what neither has: a disk and
// netlink. Without a bug all must be silent.

#include "troupe/tests/bugs/selector.hpp"
#include "troupe/tests/fault/sweep.hpp"
#include "troupe/tests/lab/shrink.hpp"
#include "troupe/tests/lab/sim_run.hpp"
#include "troupe/tests/sim/lost_events.hpp"
#include "troupe/tests/unit/netns/interrupted_dump.hpp"
#include "troupe/tests/unit/persistence/power_loss.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <optional>

namespace troupe::bugs {

namespace {

/// As bugs.py has them.
constexpr auto bug_count = 21;

constexpr uint64_t seeds = 600;

/// Longer operations than this are a mistake of the sweep.
constexpr auto most_calls = 400U;

/// What found a bug.
struct finding {
  std::string where;
  size_t operations = 1; ///< That a run of the lab was cut down to.
};

std::optional<finding> look_in_runs() {
  const auto scenario = testing::swarm_scenario();
  auto fails = [](const testing::sim_plan& x) {
    return !testing::run_plan(x).wrong.empty();
  };
  for (auto seed = uint64_t{1}; seed <= seeds; ++seed) {
    const auto plan = testing::make_plan(scenario, seed);
    if (!fails(plan))
      continue;
    const auto shorter = testing::shrink(plan, fails, 400);
    const auto operations
      = std::ranges::count_if(shorter.steps, [](const auto& x) {
          return x.operation.has_value();
        });
    return finding{"troupe-sim --seed " + std::to_string(seed) + " --keep "
                     + testing::to_string(testing::numbers_of(shorter)),
                   static_cast<size_t>(operations)};
  }
  return std::nullopt;
}

/// Strikes call 0, 1, 2, …; @returns the fault that showed something wrong.
std::optional<fault::fault>
strike_all(const fault::scenario& scenario, fault::fault x) {
  const auto crashes = x.what == fault::fault::effect::crash_before
                       || x.what == fault::fault::effect::crash_after;
  for (x.nth = 0; x.nth < most_calls; ++x.nth) {
    auto run = fault::run{scenario};
    const auto hit = run.strike(x);
    if (crashes && !hit)
      break;
    auto wrong = crashes ? run.check_recovery() : run.check_outcome(x);
    if (!(wrong + run.check_empty(x)).empty())
      return x;
    if (!hit)
      break;
  }
  return std::nullopt;
}

std::optional<finding> look_in_sweep() {
  using effect = fault::fault::effect;
  for (const auto& scenario : fault::scenarios())
    for (const auto& x :
         {fault::fault{fault::seam::kernel, effect::fail, 0, false, ENOBUFS},
          fault::fault{fault::seam::store, effect::fail, 0, false, 0},
          fault::fault{fault::seam::kernel, effect::crash_before, 0, false, 0},
          fault::fault{fault::seam::store, effect::crash_after, 0, false, 0}})
      if (auto found = strike_all(scenario, x))
        return finding{"fault_sweep, " + scenario.name + ": "
                       + fault::to_string(*found)};
  return std::nullopt;
}

/// The simulated kernel has no netlink.
std::optional<finding> look_in_dump() {
  auto wrong = netns::check_interrupted_dump();
  if (wrong.empty())
    return std::nullopt;
  return finding{"unit_netns: " + wrong};
}

/// The store in memory has no disk.
std::optional<finding> look_in_images() {
  auto disk = persistence::power_loss{};
  if (auto wrong = disk.record(true); !wrong.empty())
    return finding{"unit_persistence: " + wrong};
  disk.look(40, 1);
  if (disk.lost().empty())
    return std::nullopt;
  return finding{"unit_persistence: " + disk.lost().front()};
}

/// The lab has no events.
std::optional<finding> look_in_events() {
  auto wrong = test::check_lost_events();
  if (wrong.empty())
    return std::nullopt;
  return finding{"lost events: " + wrong};
}

std::optional<finding> look() {
  for (const auto look_there : {look_in_dump, look_in_images, look_in_events,
                                look_in_runs, look_in_sweep})
    if (auto found = look_there())
      return found;
  return std::nullopt;
}

class SeededBug : public ::testing::TestWithParam<int> {
protected:
  ~SeededBug() override {
    chosen = 0;
  }
};

TEST_P(SeededBug, IsFound) {
  chosen = GetParam();
  const auto found = look();
  ASSERT_TRUE(found) << "nothing has noticed bug " << chosen;
  std::cout << "bug " << chosen << ": " << found->where << "\n";
  EXPECT_LE(found->operations, 10U);
}

INSTANTIATE_TEST_SUITE_P(All, SeededBug, ::testing::Range(1, bug_count + 1));

TEST(NoSeededBug, IsFound) {
  chosen = 0;
  const auto found = look();
  EXPECT_FALSE(found) << found->where;
}

} // namespace

} // namespace troupe::bugs
