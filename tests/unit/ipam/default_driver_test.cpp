// Sequences of subnet requests: libnetwork's tables A1 (IP-…) and A4 (DP-…).
//
// Not here: IP-014 for a default pool in an unknown space is below; IP-023
// (concurrent requests) has no counterpart, one actor owns the driver; IP-053
// (persistence) neither, records are replayed by the network; DP-32 (order of
// an internal list) neither; DP-25 and DP-31 (lengths above 32) cannot be
// written as a `prefix`.

#include <gtest/gtest.h>

#include "text.hpp"
#include <set>

namespace troupe::ipam {
namespace {

using test::ip;
using test::net;
using test::text;

pool_request
subnet_request(std::string_view subnet, std::string_view range = {}) {
  auto result = pool_request{};
  result.subnet = net(subnet);
  if (!range.empty())
    result.range = net(range);
  return result;
}

class DefaultIpam : public ::testing::Test {
protected:
  result<pool_lease>
  request(std::string_view subnet, std::string_view range = {}) {
    return driver_->request_pool(subnet_request(subnet, range));
  }

  std::unique_ptr<driver> driver_ = *make_default({}, "host");
};

// IP-001, IP-002.
TEST_F(DefaultIpam, LeaseIdTellsSpaceSubnetAndRange) {
  EXPECT_EQ(driver_->name(), "default");
  EXPECT_EQ(request("172.27.0.0/16")->id, "LocalDefault/172.27.0.0/16");
  EXPECT_EQ(request("172.27.0.0/16", "172.27.3.0/24")->id,
            "LocalDefault/172.27.0.0/16/172.27.3.0/24");
}

// IP-004, IP-016.
TEST_F(DefaultIpam, SpacesAreIndependent) {
  auto global = subnet_request("10.0.0.0/8");
  global.space = "GlobalDefault";
  auto first = request("10.0.0.0/8");
  auto second = driver_->request_pool(global);
  ASSERT_TRUE(first && second);
  EXPECT_NE(first->id, second->id);
  EXPECT_TRUE(driver_->release_pool(first->id));
  EXPECT_TRUE(driver_->release_pool(second->id));
}

// IP-005.
TEST_F(DefaultIpam, SameSubnetTwiceIsAConflict) {
  ASSERT_TRUE(request("10.0.0.0/8"));
  EXPECT_EQ(text(request("10.0.0.0/8")), "conflict");
}

// IP-007, IP-008.
TEST_F(DefaultIpam, RangeOfAClaimedSubnetSharesIt) {
  ASSERT_TRUE(request("10.0.0.0/8"));
  auto lease = request("10.0.0.0/8", "10.128.0.0/9");
  ASSERT_TRUE(lease);
  EXPECT_EQ(lease->range, net("10.128.0.0/9"));
  auto again = request("10.0.0.0/8", "10.128.0.0/9");
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ec::conflict);
  EXPECT_NE(again.error().message.find("10.128.0.0/9"), std::string::npos);
}

// IP-010, IP-011.
TEST_F(DefaultIpam, Ipv6SubnetsOverlapLikeIpv4) {
  EXPECT_TRUE(request("1003:1:2:3:4:5:6:0/112"));
  EXPECT_EQ(text(request("1003:1:2:3::/64")), "conflict");
}

// IP-013: a subnet is free again when its last lease is released.
TEST_F(DefaultIpam, LeasesOfASubnetAreCounted) {
  auto master = request("10.0.0.0/8");
  auto range = request("10.0.0.0/8", "10.0.0.0/16");
  ASSERT_TRUE(master && range);
  EXPECT_NE(master->id, range->id);
  EXPECT_FALSE(request("10.0.0.0/8", "10.0.0.0/16"));
  EXPECT_TRUE(driver_->release_pool(range->id));
  EXPECT_EQ(text(request("10.0.0.0/8")), "conflict");
  EXPECT_TRUE(driver_->release_pool(master->id));
  EXPECT_EQ(driver_->release_pool(master->id).error().code, ec::not_found);
  EXPECT_EQ(request("10.0.0.0/8")->id, master->id);
}

TEST_F(DefaultIpam, SubnetStaysClaimedByItsLastRange) {
  auto master = request("10.0.0.0/8");
  auto range = request("10.0.0.0/8", "10.0.0.0/16");
  ASSERT_TRUE(master && range);
  ASSERT_TRUE(driver_->release_pool(master->id));
  EXPECT_EQ(text(request("10.1.0.0/16")), "conflict");
  ASSERT_TRUE(driver_->release_pool(range->id));
  EXPECT_EQ(text(request("10.1.0.0/16")), "10.1.0.0/16");
}

// libnetwork lets a request with a range skip the overlap check altogether;
// here only the very same subnet is shared.
TEST_F(DefaultIpam, RangeDoesNotExcuseOverlapWithOtherSubnets) {
  ASSERT_TRUE(request("10.0.0.0/8"));
  EXPECT_EQ(text(request("10.1.0.0/16", "10.1.1.0/24")), "conflict");
}

// IP-014.
TEST_F(DefaultIpam, UnknownSpaceIsRefused) {
  auto request = pool_request{};
  request.space = "blue";
  auto lease = driver_->request_pool(request);
  ASSERT_FALSE(lease);
  EXPECT_EQ(lease.error().code, ec::invalid_argument);
  EXPECT_EQ(lease.error().message,
            "claim subnet: unknown address space \"blue\"");
}

// IP-025; the other two halves cannot be written with typed arguments.
TEST_F(DefaultIpam, UnknownLeaseIsNotFound) {
  for (const auto* id : {"", "LocalDefault/10.0.0.0/8", "x"})
    EXPECT_EQ(driver_->release_pool(id).error().code, ec::not_found);
}

// IP-028, and its neighbours.
TEST_F(DefaultIpam, RangeMustLieInItsSubnet) {
  auto alone = pool_request{};
  alone.range = net("10.0.0.0/24");
  EXPECT_EQ(text(driver_->request_pool(alone)), "invalid_argument");
  EXPECT_EQ(text(request("10.0.0.0/8", "fd00::/64")), "invalid_argument");
  EXPECT_EQ(text(request("10.0.0.0/8", "11.0.0.0/16")), "invalid_argument");
  EXPECT_EQ(text(request("10.0.0.0/8", "8.0.0.0/6")), "invalid_argument");
  EXPECT_EQ(text(request("0.0.0.0/24", "10.0.0.0/24")), "invalid_argument");
  EXPECT_EQ(text(request("10.0.0.0/8")), "10.0.0.0/8"); // Nothing was kept.
}

// IP-029.
TEST_F(DefaultIpam, UnspecifiedSubnetStandsForAnyOfItsLength) {
  EXPECT_EQ(text(request("0.0.0.0/24")), "172.17.0.0/24");
  EXPECT_EQ(text(request("0.0.0.0/24")), "172.17.1.0/24");
  EXPECT_EQ(text(request("0.0.0.0/16")), "172.18.0.0/16");
  auto v6 = request("::/64");
  ASSERT_TRUE(v6);
  EXPECT_TRUE(net("fd00::/8").contains(v6->subnet));
  auto wide = request("0.0.0.0/4");
  ASSERT_FALSE(wide);
  EXPECT_EQ(wide.error().code, ec::invalid_argument);
  EXPECT_EQ(wide.error().message,
            "choose a subnet: no predefined IPv4 pool is as large as a /4");
}

// IP-019, IP-020: the lowest free subnet is taken, as in libnetwork of today,
// so a released one comes back first.
TEST_F(DefaultIpam, ReleasedAutomaticSubnetComesBackFirst) {
  auto driver = *make_default({{net("10.0.0.0/8"), 24}}, "host");
  auto request = pool_request{};
  request.exclude = {net("10.0.1.0/24")};
  auto first = driver->request_pool(request);
  EXPECT_EQ(text(first), "10.0.0.0/24");
  EXPECT_EQ(text(driver->request_pool(request)), "10.0.2.0/24");
  EXPECT_EQ(text(driver->request_pool(request)), "10.0.3.0/24");
  ASSERT_TRUE(driver->release_pool(first->id));
  EXPECT_EQ(text(driver->request_pool(request)), "10.0.0.0/24");
  EXPECT_EQ(text(driver->request_pool(request)), "10.0.4.0/24");
}

TEST_F(DefaultIpam, UsedUpPoolsSayWhatToDo) {
  auto driver = *make_default({{net("10.0.0.0/24"), 24}}, "host");
  ASSERT_TRUE(driver->request_pool({}));
  auto lease = driver->request_pool({});
  ASSERT_FALSE(lease);
  EXPECT_EQ(lease.error().code, ec::unavailable);
  EXPECT_NE(lease.error().message.find("used up"), std::string::npos);
  EXPECT_NE(lease.error().hint.find("--subnet"), std::string::npos);
  EXPECT_NE(lease.error().hint.find("default-address-pools"),
            std::string::npos);
}

// A person may well want a subnet that the host has a route to.
TEST_F(DefaultIpam, ExplicitSubnetIsNotCheckedAgainstRoutes) {
  auto request = subnet_request("10.0.0.0/8");
  request.exclude = {net("10.0.0.0/8")};
  EXPECT_EQ(text(driver_->request_pool(request)), "10.0.0.0/8");
}

struct choice {
  const char* id;
  std::vector<predefined_pool> pools;
  std::vector<const char*> claimed;
  std::vector<const char*> routes;
  const char* wanted; ///< E.g. `0.0.0.0/24`; null: as the pools say.
  const char* expected;
};

// Differences to the table: DP-23, -26, -28 and -29 have the base 172.17.0.0/12
// there, whose host bits a `prefix` does not keep, so the search begins at
// 172.16.0.0. Claimed subnets that overlap others (DP-07, -11, -20, -22) are
// written as routes, for claims never overlap here; host bits are cleared.
std::vector<choice> choices() {
  auto p192 = predefined_pool{net("192.168.0.0/16"), 24};
  auto p172 = predefined_pool{net("172.16.0.0/15"), 16};
  auto small = predefined_pool{net("192.168.0.0/23"), 24};
  auto p12 = predefined_pool{net("172.16.0.0/12"), 16};
  auto p12s = predefined_pool{net("172.16.0.0/12"), 24};
  auto p10 = predefined_pool{net("10.0.0.0/12"), 20};
  auto none = "unavailable";
  return {
    {"DP-01", {p192}, {"192.168.255.0/24"}, {}, nullptr, "192.168.0.0/24"},
    {"DP-02",
     {{net("10.0.0.0/8"), 24}, p192},
     {"10.0.0.0/8"},
     {"10.0.0.0/7"},
     nullptr,
     "192.168.0.0/24"},
    {"DP-04",
     {{net("10.20.0.0/16"), 24}, p192},
     {"10.0.0.0/8", "192.168.0.0/24", "192.168.128.0/24"},
     {},
     nullptr,
     "192.168.1.0/24"},
    {"DP-05",
     {{net("10.20.0.0/22"), 24}, p192},
     {"10.20.0.0/24", "10.20.1.0/24", "10.20.2.0/24", "192.168.128.0/24"},
     {"10.20.3.0/24"},
     nullptr,
     "192.168.0.0/24"},
    {"DP-07",
     {{net("10.10.0.0/22"), 24}, p192},
     {"10.10.0.0/24", "10.10.1.0/24", "10.10.2.0/24", "10.10.3.0/24"},
     {"10.10.3.0/24"},
     nullptr,
     "192.168.0.0/24"},
    {"DP-08",
     {p192},
     {"192.168.0.0/24", "192.168.1.0/24", "192.168.2.0/23", "192.168.4.0/30"},
     {},
     nullptr,
     "192.168.5.0/24"},
    {"DP-10",
     {p192},
     {"192.168.0.0/24", "192.168.1.0/24", "192.168.2.0/30"},
     {"192.168.2.4/30", "192.168.3.0/30", "192.168.4.0/23"},
     nullptr,
     "192.168.6.0/24"},
    {"DP-11",
     {p192},
     {"192.168.0.0/24"},
     {"192.168.0.0/24"},
     nullptr,
     "192.168.1.0/24"},
    {"DP-13",
     {{net("10.0.0.0/8"), 24},
      {net("10.0.0.0/16"), 24},
      {net("10.10.0.0/16"), 24},
      p192},
     {},
     {"10.0.0.0/8"},
     nullptr,
     "192.168.0.0/24"},
    {"DP-14", {p172}, {"172.16.0.0/16"}, {}, nullptr, "172.17.0.0/16"},
    {"DP-16", {p172}, {"172.16.0.0/16", "172.17.0.0/17"}, {}, nullptr, none},
    {"DP-17",
     {p172},
     {"172.16.0.0/16", "172.17.0.0/16", "192.168.0.0/24"},
     {},
     nullptr,
     none},
    {"DP-19",
     {p172, small},
     {"172.16.0.0/16", "172.17.0.0/16", "192.168.0.0/24", "192.168.1.0/24"},
     {},
     nullptr,
     none},
    {"DP-20",
     {p172, small},
     {"172.16.0.0/16", "172.17.128.0/17", "192.168.0.1/32", "192.168.1.0/24"},
     {},
     nullptr,
     none},
    {"DP-22",
     {p172, small},
     {"172.16.0.0/16", "172.17.128.0/17"},
     {"172.16.120.0/24", "172.17.128.0/17", "172.17.128.0/24"},
     nullptr,
     "192.168.0.0/24"},
    {"DP-23", {p12}, {}, {}, "0.0.0.0/24", "172.16.0.0/24"},
    {"DP-26", {p12}, {"172.16.0.0/20"}, {}, "0.0.0.0/24", "172.16.16.0/24"},
    {"DP-28", {p12}, {"172.16.0.0/24"}, {}, nullptr, "172.17.0.0/16"},
    {"DP-29", {p12s, p10}, {}, {}, "0.0.0.0/20", "10.0.0.0/20"},
    // Ours: a route to everything, a route of the other family.
    {"default route", {p192}, {}, {"0.0.0.0/0"}, nullptr, none},
    {"IPv6 route", {p192}, {}, {"::/0"}, nullptr, "192.168.0.0/24"},
    {"end of the range",
     {{net("255.255.254.0/23"), 24}},
     {"255.255.254.0/24"},
     {},
     nullptr,
     "255.255.255.0/24"},
    {"end of the range, full",
     {{net("255.255.254.0/23"), 24}},
     {"255.255.254.0/24", "255.255.255.128/25"},
     {},
     nullptr,
     none},
  };
}

TEST(SubnetChoice, FollowsTheTable) {
  for (const auto& x : choices()) {
    SCOPED_TRACE(x.id);
    auto driver = *make_default(x.pools, "host");
    for (const auto* claimed : x.claimed)
      ASSERT_TRUE(driver->request_pool(subnet_request(claimed))) << claimed;
    auto request = x.wanted ? subnet_request(x.wanted) : pool_request{};
    for (const auto* route : x.routes)
      request.exclude.push_back(net(route));
    EXPECT_EQ(text(driver->request_pool(request)), x.expected);
  }
}

} // namespace
} // namespace troupe::ipam
