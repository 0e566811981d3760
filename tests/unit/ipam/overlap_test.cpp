// Which subnets may live beside which: libnetwork's table OV-….

#include "troupe/drivers/ipam/address_space.hpp"

#include <gtest/gtest.h>

#include "text.hpp"

namespace troupe::ipam {
namespace {

using test::net;

struct overlap_case {
  const char* id;
  const char* existing;
  const char* wanted;
  bool allowed;
};

// OV-13 asks for 10.0.0.0/6, which has host bits: `prefix` refuses it, so the
// canonical form 8.0.0.0/6 stands here (and is OV-14).
constexpr overlap_case overlap_cases[] = {
  {"OV-01", "10.0.0.0/8", "11.0.0.0/8", true},
  {"OV-02", "74.0.0.0/7", "9.111.99.72/30", true},
  {"OV-04", "10.0.0.0/8", "10.0.0.0/8", false},
  {"OV-05", "0.0.0.0/1", "16.182.0.0/15", false},
  {"OV-07", "0.0.0.0/1", "0.0.0.0/0", false},
  {"OV-08", "64.0.0.0/6", "64.0.0.0/3", false},
  {"OV-10", "96.0.0.0/3", "0.0.0.0/1", false},
  {"OV-11", "192.0.0.0/2", "128.0.0.0/1", false},
  {"OV-14", "10.0.0.0/8", "8.0.0.0/6", false},
  {"OV-16", "::/0", "f656:3484:c878:a05:e540:a6ed:4d70:3740/123", false},
  {"OV-17", "8000::/1", "8fe8:e7c4:5779::/49", false},
  {"OV-19", "::/2", "::/0", false},
  {"OV-20", "::/3", "::/1", false},
  {"OV-22", "c000::/2", "8000::/1", false},
  {"OV-23", "7c00::/6", "::/1", false},
  {"OV-25", "ff77:93f8::/29", "::/0", false},
  {"OV-26", "9287:2e20:5134:fab6:9061:a0c6:bfe3:9400/119", "8000::/1", false},
  // Ours: families never overlap, neighbours neither.
  {"v4 beside v6", "0.0.0.0/0", "::/0", true},
  {"right after", "10.0.0.0/24", "10.0.1.0/24", true},
  {"right before", "10.0.1.0/24", "10.0.0.0/24", true},
  {"last address", "255.255.255.255/32", "0.0.0.0/0", false},
};

TEST(Overlap, FollowsTheTable) {
  for (const auto& x : overlap_cases) {
    SCOPED_TRACE(x.id);
    auto space = address_space{"test", {}};
    ASSERT_TRUE(space.claim(net(x.existing), std::nullopt));
    auto second = space.claim(net(x.wanted), std::nullopt);
    EXPECT_EQ(second.has_value(), x.allowed);
    if (!second) {
      EXPECT_EQ(second.error().code, ec::conflict);
      EXPECT_NE(second.error().message.find(x.existing), std::string::npos)
        << second.error().message;
    }
  }
}

TEST(Overlap, IsSymmetric) {
  for (const auto& x : overlap_cases) {
    SCOPED_TRACE(x.id);
    auto space = address_space{"test", {}};
    ASSERT_TRUE(space.claim(net(x.wanted), std::nullopt));
    EXPECT_EQ(space.claim(net(x.existing), std::nullopt).has_value(),
              x.allowed);
  }
}

TEST(Overlap, IsFoundAmongManyAndGoesWithTheRelease) {
  auto space = address_space{"test", {}};
  auto base = net("10.0.0.0/8");
  for (auto i = 0U; i < 65'536; i += 2)
    ASSERT_TRUE(space.claim({base.at(uint128{i} << 8), 24}, std::nullopt));
  auto wide = space.claim(net("10.4.0.0/23"), std::nullopt);
  ASSERT_FALSE(wide);
  EXPECT_NE(wide.error().message.find("10.4.0.0/24"), std::string::npos);
  EXPECT_TRUE(space.release("test/10.4.0.0/24"));
  EXPECT_TRUE(space.claim(net("10.4.0.0/23"), std::nullopt));
}

} // namespace
} // namespace troupe::ipam
