#include "troupe/config/model/address.hpp"

#include <gtest/gtest.h>

#include "random_values.hpp"
#include <set>

namespace troupe {
namespace {

TEST(MacAddress, ReadsColonsAndDashesInAnyCase) {
  auto wanted = mac_address{{0x02, 0x42, 0x0a, 0x01, 0x00, 0xff}};
  EXPECT_EQ(mac_address::parse("02:42:0a:01:00:ff"), wanted);
  EXPECT_EQ(mac_address::parse("02-42-0A-01-00-FF"), wanted);
}

TEST(MacAddress, RefusesEverythingElse) {
  for (const auto* text :
       {"", "02:42:0a:01:00", "02:42:0a:01:00:ff:", "02:42:0a:01:00:fg",
        "02:42-0a:01:00:ff", "2:42:0a:01:00:ff0", "02420a0100ff",
        "02:42:0a:01:00:f ", "02.42.0a.01.00.ff", "+2:42:0a:01:00:ff"}) {
    auto parsed = mac_address::parse(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, ec::invalid_argument);
  }
  EXPECT_EQ(mac_address::parse("02:42").error().message,
            "parse mac address \"02:42\": not six pairs of hex digits");
  EXPECT_EQ(mac_address::parse("02:42").error().hint,
            "write it like 02:42:0a:01:00:05");
}

TEST(MacAddress, DerivesFromIpv4AsLibnetworkDoes) {
  EXPECT_EQ(to_string(mac_address::from_ipv4(*ip_address::parse("10.1.0.5"))),
            "02:42:0a:01:00:05");
}

TEST(MacAddress, IsUnicastAndLocalWhenRandom) {
  auto seen = std::set<std::string>{};
  for (auto i = 0; i < 1000; ++i) {
    auto x = mac_address::random();
    EXPECT_FALSE(x.is_multicast());
    EXPECT_EQ(x.bytes[0] & 2, 2);
    seen.insert(to_string(x));
  }
  EXPECT_EQ(seen.size(), 1000U);
}

TEST(MacAddress, KnowsMulticastAndZero) {
  EXPECT_TRUE(mac_address::parse("01:00:5e:00:00:01")->is_multicast());
  EXPECT_TRUE(mac_address::parse("ff:ff:ff:ff:ff:ff")->is_multicast());
  EXPECT_FALSE(mac_address::parse("02:00:00:00:00:01")->is_multicast());
  EXPECT_TRUE(mac_address{}.is_zero());
  EXPECT_FALSE(mac_address::parse("00:00:00:00:00:01")->is_zero());
}

TEST(MacAddressProperty, ComesBackFromItsText) {
  test::check([] {
    auto x = test::draw<mac_address>();
    RC_ASSERT(mac_address::parse(to_string(x)) == x);
  });
}

} // namespace
} // namespace troupe
