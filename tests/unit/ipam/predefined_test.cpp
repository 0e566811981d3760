#include "troupe/drivers/ipam/predefined.hpp"

#include <gtest/gtest.h>

#include "text.hpp"
#include <set>

namespace troupe::ipam {
namespace {

using test::net;

/// Claims until nothing is left.
std::vector<std::string> all_subnets(driver& x, const pool_request& request) {
  auto result = std::vector<std::string>{};
  while (auto lease = x.request_pool(request)) {
    result.push_back(to_string(lease->subnet));
    if (result.size() > 70'000)
      break;
  }
  return result;
}

// PL-01.
TEST(PredefinedPools, LocalListIsLibnetworks) {
  auto expected = std::vector<std::string>{};
  for (auto i = 17; i <= 31; ++i)
    expected.push_back("172." + std::to_string(i) + ".0.0/16");
  for (auto i = 0; i < 256; i += 16)
    expected.push_back("192.168." + std::to_string(i) + ".0/20");
  auto driver = *make_default({}, "host");
  EXPECT_EQ(all_subnets(*driver, {}), expected);
  EXPECT_EQ(expected.size(), 31U);
}

// PL-02; also shows that a used-up list of this length stays quick.
TEST(PredefinedPools, GlobalListIsEverySlash24OfTen) {
  auto driver = *make_default({}, "host");
  auto request = pool_request{};
  request.space = "GlobalDefault";
  auto xs = all_subnets(*driver, request);
  ASSERT_EQ(xs.size(), 65'536U);
  EXPECT_EQ(xs.front(), "10.0.0.0/24");
  EXPECT_EQ(xs[257], "10.1.1.0/24");
  EXPECT_EQ(xs.back(), "10.255.255.0/24");
  EXPECT_EQ(std::set<std::string>(xs.begin(), xs.end()).size(), xs.size());
}

// PL-04 with the local space: the settings reach that one alone.
TEST(PredefinedPools, ConfiguredListReplacesTheLocalOne) {
  auto driver = *make_default({{net("30.0.0.0/12"), 24}}, "host");
  auto xs = all_subnets(*driver, {});
  ASSERT_EQ(xs.size(), 4'096U);
  EXPECT_EQ(xs.front(), "30.0.0.0/24");
  EXPECT_EQ(xs.back(), "30.15.255.0/24");
}

// ST-10.
TEST(PredefinedPools, ConfiguredPoolsHaveTheirOwnLengths) {
  auto driver = *make_default(
    {{net("175.33.0.0/16"), 24}, {net("175.30.0.0/16"), 16}}, "host");
  EXPECT_EQ(test::text(driver->request_pool({})), "175.30.0.0/16");
  EXPECT_EQ(test::text(driver->request_pool({})), "175.33.0.0/24");
  EXPECT_EQ(test::text(driver->request_pool({})), "175.33.1.0/24");
}

// PL-05.
TEST(PredefinedPools, LengthMustSuitTheBase) {
  for (auto length : {0, 7, 33, 128}) {
    SCOPED_TRACE(length);
    auto driver
      = make_default({{net("10.0.0.0/8"), static_cast<uint8_t>(length)}}, "");
    ASSERT_FALSE(driver);
    EXPECT_EQ(driver.error().code, ec::invalid_argument);
    EXPECT_NE(driver.error().message.find("10.0.0.0/8"), std::string::npos);
    EXPECT_EQ(driver.error().hint, "use a size from 8 to 32");
  }
  EXPECT_TRUE(make_default({{net("10.0.0.0/8"), 8}}, ""));
  EXPECT_TRUE(make_default({{net("10.0.0.0/8"), 32}}, ""));
  EXPECT_TRUE(make_default({{net("fd00::/8"), 128}}, ""));
}

TEST(PredefinedPools, FamiliesAreReplacedOneByOne) {
  auto driver = *make_default({{net("fd12:3456::/32"), 64}}, "host");
  auto v6 = pool_request{};
  v6.ipv6 = true;
  EXPECT_EQ(test::text(driver->request_pool(v6)), "fd12:3456::/64");
  EXPECT_EQ(test::text(driver->request_pool({})), "172.17.0.0/16");
}

TEST(PredefinedPools, AutomaticIpv6SubnetsAreUniqueLocal) {
  auto driver = *make_default({}, "host");
  auto request = pool_request{};
  request.ipv6 = true;
  auto first = driver->request_pool(request);
  auto second = driver->request_pool(request);
  ASSERT_TRUE(first && second);
  EXPECT_TRUE(net("fd00::/8").contains(first->subnet));
  EXPECT_EQ(first->subnet.length(), 64);
  auto site = prefix{first->subnet.address(), 48};
  EXPECT_TRUE(site.contains(second->subnet));
  EXPECT_EQ(site.index_of(first->subnet.address()), uint128{0});
  EXPECT_EQ(second->subnet.address().number(),
            first->subnet.address().number() + (uint128{1} << 64));
}

TEST(PredefinedPools, SeedDecidesTheUniqueLocalPrefix) {
  EXPECT_EQ(ula_pool("a").base, ula_pool("a").base);
  auto seen = std::set<prefix>{};
  for (auto i = 0; i < 1'000; ++i)
    seen.insert(ula_pool("host-" + std::to_string(i)).base);
  EXPECT_EQ(seen.size(), 1'000U);
  // Pinned: networks on disk carry it, so it must never change.
  EXPECT_EQ(to_string(ula_pool("").base), "fde9:a9b5:e89b::/48");
  EXPECT_EQ(to_string(ula_pool("troupe").base), "fd80:7c3e:489b::/48");
}

TEST(PredefinedPools, GlobalSpaceHasNoAutomaticIpv6) {
  auto driver = *make_default({}, "host");
  auto request = pool_request{};
  request.space = "GlobalDefault";
  request.ipv6 = true;
  auto lease = driver->request_pool(request);
  ASSERT_FALSE(lease);
  EXPECT_EQ(lease.error().code, ec::unavailable);
  EXPECT_NE(lease.error().hint.find("--subnet"), std::string::npos);
}

TEST(PredefinedPools, BasesInsideOthersAreDropped) {
  auto pools = normalised({{net("192.168.0.0/16"), 24},
                           {net("10.10.0.0/16"), 24},
                           {net("10.0.0.0/8"), 24},
                           {net("10.0.0.0/8"), 16}});
  ASSERT_TRUE(pools);
  ASSERT_EQ(pools->size(), 2U);
  EXPECT_EQ((*pools)[0].base, net("10.0.0.0/8"));
  EXPECT_EQ((*pools)[1].base, net("192.168.0.0/16"));
}

} // namespace
} // namespace troupe::ipam
