#include "troupe/actors/core/turn_queue.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace troupe {

namespace {

TEST(TurnQueue, RunsTheFirstAtOnceAndTheOthersInOrder) {
  auto ran = std::vector<int>{};
  auto queue = turn_queue{};
  for (auto i : {1, 2, 3})
    EXPECT_TRUE(queue.enter([&ran, i] {
      ran.push_back(i);
    }));
  EXPECT_EQ(ran, (std::vector{1}));
  EXPECT_EQ(queue.waiting(), 2U);
  queue.leave();
  EXPECT_EQ(ran, (std::vector{1, 2}));
  queue.leave();
  queue.leave();
  EXPECT_EQ(ran, (std::vector{1, 2, 3}));
  EXPECT_FALSE(queue.busy());
}

TEST(TurnQueue, RefusesWhenItIsFull) {
  auto queue = turn_queue{1};
  auto ran = 0;
  const auto count = [&ran] {
    ++ran;
  };
  EXPECT_TRUE(queue.enter(count));
  EXPECT_TRUE(queue.enter(count));
  EXPECT_FALSE(queue.enter(count));
  queue.leave();
  queue.leave();
  EXPECT_EQ(ran, 2);
  EXPECT_TRUE(queue.enter(count));
  EXPECT_EQ(ran, 3);
}

TEST(TurnQueue, MayBeLeftAndEnteredFromInside) {
  auto ran = std::vector<int>{};
  auto queue = turn_queue{};
  queue.enter([&] {
    ran.push_back(1);
    queue.enter([&] {
      ran.push_back(2);
      queue.leave();
    });
    queue.leave();
  });
  EXPECT_EQ(ran, (std::vector{1, 2}));
  EXPECT_FALSE(queue.busy());
  EXPECT_EQ(queue.waiting(), 0U);
}

} // namespace

} // namespace troupe
