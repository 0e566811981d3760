#include "troupe/tools/troupe-remote/request_memory.hpp"

#include <gtest/gtest.h>

namespace troupe::tools::remote {

namespace {

using namespace std::chrono_literals;
using kind = request_memory::verdict::kind;

std::string client_name(int number) {
  auto digits = std::to_string(number);
  return std::string(32 - digits.size(), 'a') + digits;
}

class RequestMemory : public ::testing::Test {
protected:
  void SetUp() override {
    ASSERT_TRUE(memory.open(name, now));
  }

  kind begin(uint64_t sequence, uint64_t fingerprint = 1, asker who = {1, 1}) {
    auto x = memory.begin(name, sequence, fingerprint, who, now);
    EXPECT_TRUE(x) << x.error().message;
    return x ? x->what : kind::answer;
  }

  request_memory memory;
  std::string name = client_name(1);
  steady_time now = steady_time{} + 1h;
};

} // namespace

TEST_F(RequestMemory, ARequestIsCarriedOutOnceAndAnsweredOften) {
  EXPECT_EQ(begin(7), kind::carry_out);
  EXPECT_EQ(begin(7, 1, {2, 5}), kind::wait);
  auto waiting = memory.finish(name, 7, {201, "made"});
  ASSERT_EQ(waiting.size(), 2U);
  EXPECT_EQ(waiting[0].connection, 1U);
  EXPECT_EQ(waiting[1].connection, 2U);
  EXPECT_EQ(waiting[1].number, 5U);
  auto again = memory.begin(name, 7, 1, {3, 1}, now);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->what, kind::answer);
  EXPECT_EQ(again->known.status, 201);
  EXPECT_EQ(again->known.body, "made");
}

TEST_F(RequestMemory, AnotherRequestUnderTheSameNumberIsRefused) {
  EXPECT_EQ(begin(7), kind::carry_out);
  auto other = memory.begin(name, 7, 2, {1, 2}, now);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, ec::conflict);
}

TEST_F(RequestMemory, WhatWasNotBegunMayBeginAgain) {
  EXPECT_EQ(begin(7), kind::carry_out);
  EXPECT_EQ(memory.forget(name, 7).size(), 1U);
  EXPECT_EQ(begin(7), kind::carry_out);
}

TEST_F(RequestMemory, AcknowledgedOutcomesAreForgottenOthersAreNot) {
  EXPECT_EQ(begin(1), kind::carry_out);
  EXPECT_EQ(begin(2), kind::carry_out);
  memory.finish(name, 1, {200, "{}"});
  memory.acknowledge(name, {1, 2, 99});
  EXPECT_EQ(begin(1), kind::carry_out); // Forgotten: a client must not do this.
  EXPECT_EQ(begin(2), kind::wait);      // Still under way.
}

TEST_F(RequestMemory, ASessionIsKeptForTheSameClientOnly) {
  auto first = *memory.open(name, now);
  EXPECT_NE(first, 0U);
  EXPECT_EQ(*memory.open(name, now + 14min), first);
  EXPECT_NE(*memory.open(client_name(2), now), first);
  EXPECT_FALSE(memory.expire(now + 28min));
  EXPECT_EQ(*memory.open(name, now + 28min), first);
  EXPECT_TRUE(memory.expire(now + 44min));
  EXPECT_NE(*memory.open(name, now + 44min), first);
}

TEST_F(RequestMemory, ARequestUnderWayKeepsItsClient) {
  EXPECT_EQ(begin(1), kind::carry_out);
  EXPECT_FALSE(memory.expire(now + 10h));
  EXPECT_EQ(begin(1), kind::wait);
}

TEST_F(RequestMemory, WithoutASessionNothingIsCarriedOut) {
  auto x = memory.begin(client_name(9), 1, 1, {1, 1}, now);
  ASSERT_FALSE(x);
  EXPECT_EQ(x.error().code, ec::unavailable);
}

TEST_F(RequestMemory, ClientsHaveWellFormedNames) {
  for (const auto& bad :
       {std::string{}, std::string(31, 'a'), std::string(33, 'a'),
        std::string(32, 'g'), std::string(32, 'A'), std::string(32, '\0')})
    EXPECT_EQ(memory.open(bad, now).error().code, ec::invalid_argument);
}

TEST_F(RequestMemory, ManyClientsReplaceTheMostSilentOne) {
  for (auto i = 2; i <= 64; ++i)
    EXPECT_TRUE(memory.open(client_name(i), now + 1s));
  EXPECT_EQ(memory.open(client_name(65), now + 2s).error().code,
            ec::unavailable);
  auto second = *memory.open(client_name(2), now + 3s);
  EXPECT_TRUE(memory.open(client_name(65), now + 62s));
  EXPECT_EQ(*memory.open(client_name(2), now + 62s), second);
  // The first one had to go.
  EXPECT_EQ(memory.begin(name, 1, 1, {}, now + 62s).error().code,
            ec::unavailable);
}

TEST_F(RequestMemory, OutcomesAreBoundedInNumber) {
  for (uint64_t i = 1; i <= request_memory::max_outcomes + 1; ++i) {
    EXPECT_EQ(begin(i), kind::carry_out);
    memory.finish(name, i, {200, "{}"});
  }
  EXPECT_EQ(begin(2), kind::answer);
  EXPECT_EQ(begin(1), kind::carry_out);
}

TEST_F(RequestMemory, OutcomesAreBoundedInBytes) {
  auto large = std::string(request_memory::max_bytes / 4, 'x');
  for (uint64_t i = 1; i <= 5; ++i) {
    EXPECT_EQ(begin(i), kind::carry_out);
    memory.finish(name, i, {200, large});
  }
  EXPECT_EQ(begin(5), kind::answer);
  EXPECT_EQ(begin(1), kind::carry_out);
}

TEST_F(RequestMemory, OneClientsBytesPushOutTheMostSilentOthers) {
  ASSERT_TRUE(memory.open(client_name(2), now + 1s));
  auto large = std::string(request_memory::max_bytes, 'x');
  EXPECT_EQ(begin(1), kind::carry_out);
  memory.finish(name, 1, {200, large});
  ASSERT_TRUE(memory.begin(client_name(2), 1, 1, {}, now + 2s));
  memory.finish(client_name(2), 1, {200, "small"});
  auto second = memory.begin(client_name(2), 2, 1, {}, now + 2s);
  EXPECT_TRUE(second);
  EXPECT_FALSE(memory.begin(name, 1, 1, {}, now + 2s));
}

} // namespace troupe::tools::remote
