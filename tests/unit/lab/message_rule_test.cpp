// Messages between actors that get lost, late, or to an actor that ends.

#include "troupe/tests/lab/invariants.hpp"
#include "troupe/tests/lab/simulated_system.hpp"

#include <gtest/gtest.h>

namespace troupe::testing {

namespace {

using namespace std::chrono_literals;
using effect = message_rule::effect;

class MessageRule : public ::testing::Test {
protected:
  MessageRule() {
    EXPECT_TRUE(system.start());
  }

  /// @returns how often the rule hit while a network was made.
  size_t strike(effect what, const std::string& receiver,
                std::chrono::milliseconds delay = 0ms) {
    auto rule = message_rule{what, receiver, 0, delay, [this] {
                               ++hits;
                             }};
    system.add(std::move(rule));
    auto spec = network_spec{};
    spec.name = "web";
    outcome = system.call(create_network{spec});
    return hits;
  }

  void expect_repaired_by_a_restart() {
    system.heal();
    ASSERT_TRUE(system.start());
    EXPECT_EQ(check_all(system), "");
    EXPECT_EQ(remove_everything(system), "");
  }

  simulated_system system;
  size_t hits = 0;
  result<reply> outcome = fail(ec::internal, "not asked");
};

TEST_F(MessageRule, ADroppedCommitIsATimeoutAndLeavesNothing) {
  const auto before = fingerprint(*system.world);
  EXPECT_EQ(strike(effect::drop, "store"), 1U);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, ec::timeout);
  EXPECT_GE(system.last_call_took(),
            std::chrono::milliseconds{settings{}.driver_timeout_ms});
  EXPECT_EQ(fingerprint(*system.world), before);
  EXPECT_EQ(system.records(), "");
  expect_repaired_by_a_restart();
}

TEST_F(MessageRule, ALostReplyOfAnyActorIsUndoneOrDone) {
  for (auto nth = 0U; nth < 12; ++nth) {
    SCOPED_TRACE(nth);
    auto fresh = simulated_system{};
    ASSERT_TRUE(fresh.start());
    fresh.add({effect::lose_reply, {}, nth, 0ms, {}});
    auto spec = network_spec{};
    spec.name = "web";
    (void)fresh.call(create_network{spec});
    fresh.heal();
    ASSERT_TRUE(fresh.start());
    EXPECT_EQ(check_all(fresh), "");
  }
}

TEST_F(MessageRule, AHeldActorAnswersLate) {
  EXPECT_EQ(strike(effect::delay, "driver", 5s), 1U);
  EXPECT_TRUE(outcome);
  EXPECT_GE(system.last_call_took(), 5s);
  EXPECT_EQ(check_all(system), "");
}

TEST_F(MessageRule, ARequestToAnActorThatEndedFailsAtOnce) {
  EXPECT_EQ(strike(effect::kill, "ipam"), 1U);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, ec::unavailable);
  EXPECT_EQ(system.last_call_took(), 0ms);
  expect_repaired_by_a_restart();
}

TEST_F(MessageRule, TheControllersEndEndsTheDaemonAsAWhole) {
  EXPECT_EQ(strike(effect::kill, "controller"), 1U);
  EXPECT_FALSE(outcome);
  expect_repaired_by_a_restart();
}

TEST_F(MessageRule, AChangedOrderChangesNoOutcome) {
  EXPECT_EQ(strike(effect::reorder, {}), 1U);
  EXPECT_TRUE(outcome);
  EXPECT_EQ(check_all(system), "");
}

TEST_F(MessageRule, IsForgottenByHealing) {
  system.add({effect::drop, "store", 0, 0ms, {}});
  system.heal();
  EXPECT_TRUE(system.controller().create_network("bridge", "web"));
}

} // namespace

} // namespace troupe::testing
