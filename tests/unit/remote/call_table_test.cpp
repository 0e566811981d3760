#include "troupe/actors/remote/call_table.hpp"

#include <gtest/gtest.h>

namespace troupe::remote {

namespace {

using namespace std::chrono_literals;
using sequences = std::vector<uint64_t>;

class CallTable : public ::testing::Test {
protected:
  uint64_t add(request what, std::chrono::milliseconds allowed = 10s) {
    return calls.add(
      std::move(what), allowed,
      [this](result<reply> x) {
        outcomes.push_back(std::move(x));
      },
      now);
  }

  // The one outcome that must have come since the last call.
  error only_failure() {
    EXPECT_EQ(outcomes.size(), 1U);
    auto result
      = outcomes.empty() || outcomes[0] ? error{} : outcomes[0].error();
    outcomes.clear();
    return result;
  }

  const error broken = {ec::unavailable, "it broke", {}, 0};
  const error refused = {ec::forbidden, "wrong authority", {}, 0};

  call_table calls;
  std::vector<result<reply>> outcomes;
  call_table::time_point now = call_table::time_point{} + 1h;
};

} // namespace

TEST_F(CallTable, SendsWhatIsOpenOldestFirst) {
  auto first = add(create_network{});
  auto second = add(get_status{});
  EXPECT_EQ(calls.connected(5), (sequences{first, second}));
}

TEST_F(CallTable, SendsAgainWhileTheOtherSideRemembers) {
  auto made = add(create_network{});
  calls.connected(5);
  EXPECT_TRUE(calls.disconnected(broken, true));
  EXPECT_EQ(calls.connected(5), sequences{made});
  EXPECT_TRUE(outcomes.empty());
}

TEST_F(CallTable, AChangeIsNotSentAgainToSomebodyWhoForgot) {
  add(create_network{});
  auto asked = add(list_networks{});
  calls.connected(5);
  calls.disconnected(broken, true);
  EXPECT_EQ(calls.connected(6), sequences{asked});
  auto why = only_failure();
  EXPECT_EQ(why.code, ec::unavailable);
  EXPECT_NE(why.hint.find("unknown"), std::string::npos);
}

TEST_F(CallTable, AFailedAttemptEndsWhatWasNeverSent) {
  add(create_network{});
  EXPECT_FALSE(calls.disconnected(broken, false));
  EXPECT_EQ(only_failure().message, "it broke");
}

TEST_F(CallTable, AFailedAttemptLeavesWhatWasSent) {
  add(create_network{});
  calls.connected(5);
  calls.disconnected(broken, true);
  add(list_networks{});
  EXPECT_TRUE(calls.disconnected(broken, false));
  EXPECT_EQ(outcomes.size(), 1U);
}

TEST_F(CallTable, ARefusalEndsEverything) {
  add(create_network{});
  calls.connected(5);
  calls.disconnected(broken, true);
  EXPECT_FALSE(calls.disconnected(refused, false));
  EXPECT_EQ(only_failure().code, ec::forbidden);
}

TEST_F(CallTable, DeadlinesSayWhetherTheOutcomeIsKnown) {
  add(create_network{}, 1s);
  calls.expire(now + 999ms);
  EXPECT_TRUE(outcomes.empty());
  calls.expire(now + 1s);
  auto fresh = only_failure();
  EXPECT_EQ(fresh.code, ec::timeout);
  EXPECT_NE(fresh.hint.find("not sent"), std::string::npos);
  add(create_network{}, 1s);
  calls.connected(5);
  calls.expire(now + 1s);
  EXPECT_NE(only_failure().hint.find("unknown"), std::string::npos);
}

TEST_F(CallTable, ALateAnswerIsDropped) {
  auto x = add(create_network{}, 1s);
  calls.connected(5);
  calls.expire(now + 1s);
  calls.finish(x, reply{done{}});
  EXPECT_EQ(outcomes.size(), 1U);
  EXPECT_TRUE(calls.is_empty());
}

TEST_F(CallTable, AnsweredChangesAreToldOnceAndAgainAfterABreak) {
  auto first = add(create_network{});
  auto read = add(list_networks{});
  calls.connected(5);
  calls.finish(first, reply{done{}});
  calls.finish(read, reply{done{}});
  auto second = add(create_network{});
  calls.find(second)->session = 5;
  EXPECT_EQ(calls.take_answered(second), sequences{first});
  EXPECT_EQ(calls.take_answered(second), sequences{});
  calls.disconnected(broken, true);
  EXPECT_EQ(calls.take_answered(second), sequences{first});
}

TEST_F(CallTable, IsBounded) {
  for (size_t i = 0; i < call_table::max_open; ++i)
    EXPECT_NE(add(get_status{}), 0U);
  EXPECT_EQ(add(get_status{}), 0U);
  EXPECT_EQ(only_failure().code, ec::unavailable);
  calls.abandon(broken);
  EXPECT_EQ(outcomes.size(), call_table::max_open);
}

TEST(Mutations, AreWhatTheApiSays) {
  EXPECT_TRUE(is_mutation(create_network{}));
  EXPECT_TRUE(is_mutation(detach_sandbox{}));
  EXPECT_FALSE(is_mutation(inspect_endpoint{}));
  EXPECT_EQ(operation_of(publish_ports{}), "publish_ports");
}

} // namespace troupe::remote
