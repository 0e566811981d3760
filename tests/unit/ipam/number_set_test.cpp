// The cases BS-… are those of libnetwork's bit sequence; a number set does the
// same job with intervals instead of runs of 32-bit blocks.

#include "troupe/drivers/ipam/number_set.hpp"

#include <gtest/gtest.h>

namespace troupe::ipam {
namespace {

constexpr auto highest = ~uint128{0};

uint64_t gap(const number_set& xs, uint128 first, uint128 last) {
  auto result = xs.first_gap(first, last);
  return result ? static_cast<uint64_t>(*result) : ~uint64_t{0};
}

constexpr auto none = ~uint64_t{0};

TEST(NumberSet, EmptySetHasEveryNumberFree) {
  auto xs = number_set{};
  EXPECT_TRUE(xs.empty());
  EXPECT_FALSE(xs.contains(0));
  EXPECT_FALSE(xs.contains_any(0, highest));
  EXPECT_EQ(gap(xs, 0, highest), 0U);   // BS-01
  EXPECT_EQ(gap(xs, 31, highest), 31U); // BS-14
}

TEST(NumberSet, FindsTheFirstGapFromAnyStart) {
  auto xs = number_set{};
  xs.insert(0, 9); // BS-05
  xs.insert(16, 23);
  EXPECT_EQ(gap(xs, 0, 31), 10U);
  EXPECT_EQ(gap(xs, 12, 31), 12U);
  EXPECT_EQ(gap(xs, 16, 31), 24U);
  EXPECT_EQ(gap(xs, 17, 23), none);
  EXPECT_EQ(gap(xs, 3, 9), none);
}

// BS-10, BS-11, BS-47.
TEST(NumberSet, FullSetHasNoGap) {
  auto xs = number_set{};
  xs.insert(0, 30);
  EXPECT_EQ(gap(xs, 0, 31), 31U);
  xs.insert(31, 31);
  EXPECT_EQ(gap(xs, 0, 31), none);
}

// BS-31, BS-34.
TEST(NumberSet, TouchingIntervalsBecomeOne) {
  auto xs = number_set{};
  xs.insert(10, 19);
  xs.insert(30, 39);
  EXPECT_EQ(xs.intervals(), 2U);
  xs.insert(20, 29);
  EXPECT_EQ(xs.intervals(), 1U);
  xs.insert(40, 40);
  xs.insert(9, 9);
  EXPECT_EQ(xs.intervals(), 1U);
  EXPECT_EQ(gap(xs, 9, 100), 41U);
}

// BS-35.
TEST(NumberSet, InsertingAMemberChangesNothing) {
  auto xs = number_set{};
  xs.insert(5, 10);
  xs.insert(7, 8);
  xs.insert(5, 10);
  EXPECT_EQ(xs.intervals(), 1U);
  EXPECT_EQ(gap(xs, 5, 100), 11U);
}

TEST(NumberSet, InsertSwallowsEverythingInItsWay) {
  auto xs = number_set{};
  for (auto i = 0U; i < 100; i += 10)
    xs.insert(i, i + 1);
  xs.insert(5, 85);
  EXPECT_EQ(xs.intervals(), 3U); // 0-1, 5-85, 90-91
  EXPECT_EQ(gap(xs, 5, 200), 86U);
}

TEST(NumberSet, EraseSplitsAnInterval) {
  auto xs = number_set{};
  xs.insert(0, 99);
  xs.erase(40, 59);
  EXPECT_EQ(xs.intervals(), 2U);
  EXPECT_TRUE(xs.contains(39));
  EXPECT_FALSE(xs.contains(40));
  EXPECT_FALSE(xs.contains(59));
  EXPECT_TRUE(xs.contains(60));
}

TEST(NumberSet, EraseCutsAcrossIntervals) {
  auto xs = number_set{};
  xs.insert(0, 9);
  xs.insert(20, 29);
  xs.insert(40, 49);
  xs.erase(5, 44);
  EXPECT_EQ(xs.intervals(), 2U);
  EXPECT_TRUE(xs.contains(4));
  EXPECT_FALSE(xs.contains_any(5, 44));
  EXPECT_TRUE(xs.contains(45));
}

TEST(NumberSet, ErasingWhatIsNotThereChangesNothing) {
  auto xs = number_set{};
  xs.insert(10, 19);
  xs.erase(0, 9);
  xs.erase(20, highest);
  EXPECT_EQ(xs.intervals(), 1U);
  EXPECT_EQ(gap(xs, 10, 100), 20U);
}

// BS-52: the ends of the number range do not overflow.
TEST(NumberSet, WorksAtBothEndsOfTheRange) {
  auto xs = number_set{};
  xs.insert(highest, highest);
  xs.insert(0, 0);
  EXPECT_EQ(xs.intervals(), 2U);
  EXPECT_FALSE(xs.first_gap(highest, highest));
  EXPECT_EQ(gap(xs, 0, highest), 1U);
  xs.insert(0, highest);
  EXPECT_EQ(xs.intervals(), 1U);
  EXPECT_FALSE(xs.first_gap(0, highest));
  xs.erase(0, highest);
  EXPECT_TRUE(xs.empty());
}

// BS-40: an almost full /17 with a single hole.
TEST(NumberSet, FindsTheOnlyHoleInALongRun) {
  auto xs = number_set{};
  constexpr auto hole = 100U * 32 + 31;
  xs.insert(0, hole - 1);
  xs.insert(hole + 1, 1024U * 32 - 1);
  EXPECT_EQ(gap(xs, 0, 1024U * 32 - 1), hole);
}

// BS-41, BS-50: never beyond the end that was given.
TEST(NumberSet, KeepsToTheGivenRange) {
  auto xs = number_set{};
  xs.insert(0, 0);
  xs.insert(255, 255);
  EXPECT_EQ(gap(xs, 128, 255), 128U);
  xs.insert(128, 128);
  EXPECT_EQ(gap(xs, 128, 255), 129U);
  xs.insert(1, 29);
  EXPECT_EQ(gap(xs, 0, 29), none);
}

// BS-44.
TEST(NumberSet, GivesBackTheReleasedNumberOfAFullRange) {
  auto xs = number_set{};
  xs.insert(0, 511);
  xs.erase(288, 288);
  EXPECT_EQ(gap(xs, 32, 500), 288U);
  xs.insert(288, 288);
  EXPECT_EQ(gap(xs, 32, 500), none);
}

} // namespace
} // namespace troupe::ipam
