#include "troupe/tests/lab/history.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace troupe::testing {

namespace {

using action = history::action;
using outcome = history::outcome;

TEST(History, AcceptsOneAfterTheOther) {
  auto log = history{};
  log.end(log.begin("web", action::create), outcome::done, "1");
  log.saw("web", "1");
  log.end(log.begin("web", action::remove), outcome::done);
  log.saw("web", "");
  log.end(log.begin("web", action::create), outcome::done, "2");
  log.saw("web", "2");
  EXPECT_EQ(log.check(), "");
}

TEST(History, NoticesALostObject) {
  auto log = history{};
  log.end(log.begin("web", action::create), outcome::done, "1");
  log.settle();
  log.saw("web", "");
  EXPECT_NE(log.check().find("web: these answers contradict"),
            std::string::npos);
}

TEST(History, NoticesAnObjectThatComesBack) {
  auto log = history{};
  log.end(log.begin("web", action::create), outcome::done, "1");
  log.end(log.begin("web", action::remove), outcome::done);
  log.saw("web", "1");
  EXPECT_NE(log.check(), "");
}

TEST(History, NoticesAnObjectOfAnotherIdentity) {
  auto log = history{};
  log.end(log.begin("web", action::create), outcome::done, "1");
  log.saw("web", "2");
  EXPECT_NE(log.check(), "");
}

TEST(History, NoticesTwoCreationsThatBothSucceeded) {
  auto log = history{};
  auto a = log.begin("web", action::create);
  auto b = log.begin("web", action::create);
  log.end(a, outcome::done, "1");
  log.end(b, outcome::done, "2");
  EXPECT_NE(log.check(), "");
}

TEST(History, OrdersWhatOverlaps) {
  auto log = history{};
  auto remove = log.begin("web", action::remove);
  auto create = log.begin("web", action::create);
  log.end(remove, outcome::done);
  log.end(create, outcome::done, "1");
  log.saw("web", "");
  EXPECT_EQ(log.check(), "") << "create, then remove";
}

TEST(History, DoesNotReorderWhatDidNotOverlap) {
  auto log = history{};
  log.end(log.begin("web", action::remove), outcome::done);
  log.end(log.begin("web", action::create), outcome::done, "1");
  EXPECT_NE(log.check(), "");
}

TEST(History, LetsAnUnknownOperationHappenOrNot) {
  for (auto* seen : {"", "7"}) {
    auto log = history{};
    log.begin("web", action::create);
    log.settle();
    log.saw("web", seen);
    EXPECT_EQ(log.check(), "") << seen;
  }
}

TEST(History, LetsNoUnknownOperationHappenAfterItWasSettled) {
  auto log = history{};
  log.begin("web", action::create);
  log.settle();
  log.saw("web", "");
  log.saw("web", "7");
  EXPECT_NE(log.check(), "");
}

TEST(History, LetsALateOneHappenAfterItsDeadline) {
  auto log = history{};
  log.end(log.begin("web", action::create), outcome::unknown);
  log.saw("web", "");
  log.saw("web", "7");
  EXPECT_EQ(log.check(), "");
}

TEST(History, BelievesARefusal) {
  auto log = history{};
  log.end(log.begin("web", action::create), outcome::refused);
  log.saw("web", "1");
  EXPECT_NE(log.check(), "");
}

TEST(History, NoticesAWrongReasonOfARefusal) {
  auto log = history{};
  log.end(log.begin("web", action::create), outcome::exists);
  EXPECT_NE(log.check(), "");
  auto other = history{};
  other.end(other.begin("web", action::create), outcome::done, "1");
  other.end(other.begin("web", action::remove), outcome::absent);
  EXPECT_NE(other.check(), "");
}

TEST(History, ForgivesAReasonThatAnotherOperationGave) {
  auto log = history{};
  auto failing = log.begin("web", action::create);
  log.end(log.begin("web", action::create), outcome::exists);
  log.end(failing, outcome::refused);
  EXPECT_EQ(log.check(), "");
}

TEST(History, ClearsOnlyWhatHasTheValue) {
  auto log = history{};
  log.end(log.begin("join", action::create, "s1"), outcome::done);
  log.end(log.begin("join", action::clear, "s2"), outcome::done);
  log.saw("join", "s1");
  log.end(log.begin("join", action::clear, "s1"), outcome::done);
  log.saw("join", "");
  EXPECT_EQ(log.check(), "");
}

TEST(History, RefusesToGuessWhenTooMuchOverlaps) {
  auto log = history{};
  for (auto i = 0; i < 50; ++i)
    log.begin("web", action::create);
  EXPECT_NE(log.check().find("overlap"), std::string::npos);
}

TEST(History, TakesClientsOfManyThreads) {
  auto log = history{};
  auto threads = std::vector<std::thread>{};
  for (auto i = 0; i < 4; ++i)
    threads.emplace_back([&log, object = std::to_string(i)] {
      for (auto n = 0; n < 200; ++n) {
        log.end(log.begin(object, action::create), outcome::done, "1");
        log.end(log.begin(object, action::remove), outcome::done);
      }
    });
  for (auto& x : threads)
    x.join();
  EXPECT_EQ(log.size(), 1'600U);
  EXPECT_EQ(log.check(), "");
}

} // namespace

} // namespace troupe::testing
