#include "troupe/config/model/instance.hpp"

#include <gtest/gtest.h>

#include <set>

namespace troupe {
namespace {

// A changed number would orphan the kernel objects of a running daemon.
TEST(Instance, KeepsItsNumbersForEver) {
  EXPECT_EQ(instance::of("").number, 0x1c9cc7U);
  EXPECT_EQ(instance::of("/run/troupe").number, 0x4e2cadU);
}

TEST(Instance, FitsInTwentyThreeBits) {
  for (auto i = 0; i < 1000; ++i)
    EXPECT_LT(instance::of("/run/" + std::to_string(i)).number, 1U << 23U);
}

TEST(Instance, DiffersBetweenRunDirectories) {
  auto seen = std::set<uint32_t>{};
  for (auto i = 0; i < 100; ++i)
    seen.insert(instance::of("/run/troupe-" + std::to_string(i)).number);
  EXPECT_EQ(seen.size(), 100U);
}

TEST(Instance, HasAGroupForLinksAndOneForTheirDeletion) {
  auto x = instance{0x7fffff};
  EXPECT_EQ(x.link_group(), 0x74fffffeU);
  EXPECT_EQ(x.trash_group(), 0x74ffffffU);
  EXPECT_EQ(instance{}.link_group(), 0x74000000U);
}

TEST(Instance, WritesItsAliasWithSixDigits) {
  EXPECT_EQ(instance{0x1a}.alias("ff00"), "troupe:00001a:ff00");
  EXPECT_EQ(instance{0x7abcde}.alias(""), "troupe:7abcde:");
}

} // namespace
} // namespace troupe
