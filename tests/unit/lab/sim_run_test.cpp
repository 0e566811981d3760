#include "troupe/tests/lab/sim_run.hpp"

#include <gtest/gtest.h>

namespace troupe::testing {

namespace {

/// A plan of given requests, one after the other.
sim_plan plan_of(std::vector<request> requests) {
  auto plan = sim_plan{1, 4, {}, 0};
  for (auto& x : requests) {
    auto step = sim_step{};
    step.number = plan.steps.size();
    step.operation = std::move(x);
    step.messages = 1'000;
    plan.steps.push_back(std::move(step));
  }
  return plan;
}

sim_step fault_step(fault_kind what) {
  auto step = sim_step{};
  step.fault.fault = what;
  step.fault.nth = 0;
  return step;
}

network_spec named_network(const std::string& name) {
  auto spec = network_spec{};
  spec.name = name;
  return spec;
}

std::string all_events(const sim_outcome& x) {
  auto text = std::string{};
  for (const auto& line : x.events)
    text += line + "\n";
  return text;
}

TEST(SimRun, IsTheSameEveryTime) {
  const auto plan = make_plan(swarm_scenario(), 5);
  EXPECT_EQ(all_events(run_plan(plan)), all_events(run_plan(plan)));
}

TEST(SimRun, CountsWhatWasDoneAndStruck) {
  auto plan = plan_of(
    {create_network{named_network("n0")}, create_network{named_network("n1")}});
  plan.steps.insert(plan.steps.begin() + 1,
                    fault_step(fault_kind::store_io_error));
  plan.steps.back().pause_ms = 10; // A disk that fails is slow before.
  const auto outcome = run_plan(plan);
  EXPECT_EQ(outcome.wrong, "");
  const auto row = static_cast<size_t>(operation_kind::create_network);
  const auto column = static_cast<size_t>(fault_kind::store_io_error);
  EXPECT_EQ(outcome.seen.done[row], 1U);
  EXPECT_EQ(outcome.seen.refused[row], 1U);
  EXPECT_EQ(outcome.seen.met[row][column], 1U);
}

TEST(SimRun, IsQuietUnderEachFaultAlone) {
  for (size_t i = 0; i < coverage::fault_count; ++i) {
    auto what = scenario{};
    auto fault = fault_setting{};
    fault.fault = static_cast<fault_kind>(i);
    fault.per_mille = 200;
    what.faults = {fault};
    auto struck = uint64_t{0};
    for (auto seed = 1; seed <= 6; ++seed) {
      const auto outcome = run_plan(make_plan(what, seed));
      EXPECT_EQ(outcome.wrong, "")
        << to_string(fault.fault) << " seed " << seed;
      struck += outcome.seen.faults[i];
    }
    EXPECT_GT(struck, 0U) << to_string(fault.fault) << " never struck";
  }
}

TEST(SimRun, SpreadsOperationsOverADuration) {
  auto what = scenario{};
  what.duration_ms = 60'000;
  auto pauses = 0;
  for (const auto& x : make_plan(what, 1).steps)
    pauses += x.pause_ms;
  EXPECT_GT(pauses, 20'000);
  EXPECT_LT(pauses, 120'000);
}

} // namespace

} // namespace troupe::testing
