#include "troupe/tools/troupe-remote/limits.hpp"

#include <gtest/gtest.h>

namespace troupe::tools::remote {

using namespace std::chrono_literals;

TEST(TokenBucket, AllowsABurstAndThenTheRate) {
  auto now = steady_time{} + 1h;
  auto x = token_bucket{10, 3, now};
  for (auto i = 0; i < 3; ++i)
    EXPECT_TRUE(x.take(now)) << i;
  EXPECT_FALSE(x.take(now));
  EXPECT_FALSE(x.take(now + 99ms));
  EXPECT_TRUE(x.take(now + 101ms));
  EXPECT_FALSE(x.take(now + 102ms));
}

TEST(TokenBucket, NeverHoldsMoreThanItsBurst) {
  auto now = steady_time{} + 1h;
  auto x = token_bucket{10, 3, now};
  now += 1'000h;
  for (auto i = 0; i < 3; ++i)
    EXPECT_TRUE(x.take(now)) << i;
  EXPECT_FALSE(x.take(now));
}

TEST(TokenBucket, IsNotFooledByAClockThatGoesBack) {
  auto now = steady_time{} + 1h;
  auto x = token_bucket{1, 1, now};
  EXPECT_TRUE(x.take(now));
  EXPECT_FALSE(x.take(now - 1h));
  EXPECT_FALSE(x.take(now));
  EXPECT_TRUE(x.take(now + 1001ms));
}

} // namespace troupe::tools::remote
