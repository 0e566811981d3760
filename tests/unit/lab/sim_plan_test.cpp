#include "troupe/tests/lab/shrink.hpp"
#include "troupe/tests/lab/sim_plan.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace troupe::testing {

namespace {

std::string text_of(const sim_plan& plan) {
  auto text = std::string{};
  for (const auto& x : plan.steps)
    text += std::to_string(x.number) + " " + to_string(x) + " "
            + std::to_string(x.salt) + "\n";
  return text;
}

TEST(SimPlan, FollowsFromTheSeed) {
  const auto what = swarm_scenario();
  EXPECT_EQ(text_of(make_plan(what, 7)), text_of(make_plan(what, 7)));
  EXPECT_NE(text_of(make_plan(what, 7)), text_of(make_plan(what, 8)));
}

TEST(SimPlan, HasAsManyOperationsAsAsked) {
  auto what = scenario{};
  what.operations = 25;
  EXPECT_EQ(make_plan(what, 1).steps.size(), 25U);
}

TEST(SimPlan, DrawsOnlyWhatTheMixHas) {
  auto what = scenario{};
  for_each_field(what.mix, [](std::string_view, int& weight) {
    weight = 0;
  });
  what.mix.detach = 1;
  what.mix.doctor = 2;
  auto seen = std::set<operation_kind>{};
  for (const auto& x : make_plan(what, 1).steps)
    seen.insert(kind_of(*x.operation));
  EXPECT_EQ(seen, (std::set{operation_kind::detach, operation_kind::doctor}));
}

TEST(SimPlan, PlansACertainFaultBeforeEachOperation) {
  auto what = scenario{};
  auto fault = fault_setting{};
  fault.per_mille = 1'000;
  what.faults.push_back(fault);
  const auto plan = make_plan(what, 1);
  EXPECT_EQ(std::ranges::count_if(plan.steps,
                                  [](const auto& x) {
                                    return !x.operation;
                                  }),
            what.operations);
}

TEST(SimPlan, KeepsSomeStepsAsTheyWere) {
  const auto plan = make_plan(scenario{}, 3);
  const auto kept = keep_steps(plan, {2, 5, 99});
  ASSERT_EQ(kept.steps.size(), 2U);
  EXPECT_EQ(kept.steps[1].salt, plan.steps[5].salt);
}

TEST(SimPlan, WritesAndReadsNumbers) {
  EXPECT_EQ(to_string(std::vector<size_t>{3, 7, 8, 9, 12}), "3,7-9,12");
  EXPECT_EQ(parse_numbers("3,7-9,12").value(),
            (std::vector<size_t>{3, 7, 8, 9, 12}));
  for (auto* wrong : {"x", "3,", "9-7", "1-", ",1", "1-99999999"})
    EXPECT_FALSE(parse_numbers(wrong)) << wrong;
}

TEST(Shrink, LeavesOnlyTheStepsThatAreNeeded) {
  const auto plan = make_plan(swarm_scenario(), 11);
  ASSERT_GT(plan.steps.size(), 30U);
  auto runs = 0;
  const auto shorter = shrink(plan, [&](const sim_plan& x) {
    ++runs;
    const auto numbers = numbers_of(x);
    return std::ranges::count(numbers, 4U) + std::ranges::count(numbers, 29U)
           == 2;
  });
  EXPECT_EQ(numbers_of(shorter), (std::vector<size_t>{4, 29}));
  EXPECT_LT(runs, 300);
}

TEST(Shrink, StopsInTime) {
  auto runs = 0;
  auto at_random = [&](const sim_plan&) {
    return ++runs % 2 == 0;
  };
  shrink(make_plan(scenario{}, 1), at_random, 5);
  EXPECT_EQ(runs, 5);
}

} // namespace

} // namespace troupe::testing
