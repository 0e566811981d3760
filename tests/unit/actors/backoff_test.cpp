#include "troupe/actors/api/backoff.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace troupe::test {

using namespace std::chrono_literals;

TEST(Backoff, DoublesUpToTheLongestAndStartsAnewAfterASuccess) {
  auto x = backoff{};
  EXPECT_TRUE(x.is_fresh());
  auto pauses = std::vector<std::chrono::milliseconds>{};
  for (auto i = 0; i < 9; ++i)
    pauses.push_back(x.next());
  EXPECT_EQ(pauses, (std::vector<std::chrono::milliseconds>{
                      500ms, 1s, 2s, 4s, 8s, 16s, 30s, 30s, 30s}));
  EXPECT_FALSE(x.is_fresh());
  x.reset();
  EXPECT_EQ(x.next(), 500ms);
}

TEST(Backoff, HasOneAttemptComingAtATime) {
  auto x = backoff{};
  EXPECT_EQ(x.schedule(), 500ms);
  EXPECT_FALSE(x.schedule());
  x.begin();
  EXPECT_EQ(x.schedule(), 1s);
}

} // namespace troupe::test
