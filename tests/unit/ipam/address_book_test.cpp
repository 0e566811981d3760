// Sequences of address requests: libnetwork's tables A1, A2 (IP-…) and G.1
// (ST-…). Ours is next-fit, libnetwork's `serial` mode: a released address is
// given again only after the rest of the range, so that caches of neighbours
// and names that still point at it do not meet a stranger. Where libnetwork's
// default (lowest free) differs, the test says so.
//
// Not here: IP-052 (parallel callers), one actor owns a pool.

#include "troupe/drivers/ipam/address_book.hpp"

#include <gtest/gtest.h>

#include "text.hpp"
#include <set>

namespace troupe::ipam {
namespace {

using test::ip;
using test::net;
using test::text;

address_book book(std::string_view subnet, std::string_view range = {}) {
  if (range.empty())
    return {net(subnet), std::nullopt};
  return {net(subnet), net(range)};
}

/// Claims everything; returns the addresses in order.
std::vector<std::string> drain(address_book& pool, size_t limit = 100'000) {
  auto result = std::vector<std::string>{};
  while (result.size() < limit) {
    auto x = pool.claim_any();
    if (!x)
      break;
    result.push_back(to_string(*x));
  }
  return result;
}

// IP-017.
TEST(AddressBook, TakenAddressIsAConflict) {
  auto pool = book("192.168.100.0/24");
  EXPECT_EQ(text(pool.claim(ip("192.168.100.250"))), "192.168.100.250/24");
  auto again = pool.claim(ip("192.168.100.250"));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ec::conflict);
  EXPECT_EQ(again.error().message,
            "claim address 192.168.100.250: already in use in "
            "192.168.100.0/24");
}

// IP-022.
TEST(AddressBook, RangeMayBeTheWholeSubnet) {
  auto pool = book("172.18.0.0/16", "172.18.0.0/16");
  EXPECT_EQ(text(pool.claim_any()), "172.18.0.1/16");
}

// IP-026.
TEST(AddressBook, AddressOutsideOfTheSubnetIsRefused) {
  auto pool = book("192.168.0.0/16", "192.168.0.0/24");
  for (const auto* x :
       {"172.17.0.23", "192.167.255.255", "192.169.0.0", "::1", "fd00::1"}) {
    auto claimed = pool.claim(ip(x));
    ASSERT_FALSE(claimed) << x;
    EXPECT_EQ(claimed.error().code, ec::invalid_argument);
    EXPECT_NE(claimed.error().message.find("192.168.0.0/16"),
              std::string::npos);
  }
}

TEST(AddressBook, AddressOutsideOfTheRangeMayBeAskedFor) {
  auto pool = book("192.168.0.0/16", "192.168.0.0/24");
  EXPECT_EQ(text(pool.claim(ip("192.168.7.7"))), "192.168.7.7/16");
}

TEST(AddressBook, NetworkAndBroadcastAddressAreRefused) {
  auto pool = book("10.0.0.0/24");
  auto network = pool.claim(ip("10.0.0.0"));
  auto broadcast = pool.claim(ip("10.0.0.255"));
  ASSERT_TRUE(!network && !broadcast);
  EXPECT_EQ(network.error().code, ec::invalid_argument);
  EXPECT_EQ(network.error().message,
            "claim address 10.0.0.0: the network address of 10.0.0.0/24");
  EXPECT_EQ(broadcast.error().code, ec::invalid_argument);
  EXPECT_EQ(broadcast.error().message,
            "claim address 10.0.0.255: the broadcast address of 10.0.0.0/24");
  // Nor can they be released into use.
  pool.release(ip("10.0.0.0"));
  pool.release(ip("10.0.0.255"));
  EXPECT_FALSE(pool.claim(ip("10.0.0.0")));
  EXPECT_EQ(drain(pool).size(), 254U);
}

TEST(AddressBook, Ipv6KeepsBackTheFirstAddressOnly) {
  auto pool = book("fd00::/120");
  EXPECT_EQ(text(pool.claim(ip("fd00::"))), "invalid_argument");
  EXPECT_EQ(text(pool.claim(ip("fd00::ff"))), "fd00::ff/120");
  EXPECT_EQ(text(pool.claim_any()), "fd00::1/120");
}

TEST(AddressBook, TinySubnetsKeepBackNothing) {
  auto pair = book("10.0.0.2/31");
  EXPECT_EQ(drain(pair),
            (std::vector<std::string>{"10.0.0.2/31", "10.0.0.3/31"}));
  auto single = book("10.0.0.2/32");
  EXPECT_EQ(drain(single), std::vector<std::string>{"10.0.0.2/32"});
  auto pair6 = book("fd00::2/127");
  EXPECT_EQ(drain(pair6),
            (std::vector<std::string>{"fd00::2/127", "fd00::3/127"}));
  auto single6 = book("fd00::2/128");
  EXPECT_EQ(drain(single6), std::vector<std::string>{"fd00::2/128"});
  auto quad = book("10.0.0.4/30");
  EXPECT_EQ(drain(quad),
            (std::vector<std::string>{"10.0.0.5/30", "10.0.0.6/30"}));
}

// IP-031, IP-032.
TEST(AddressBook, EndsOfARangeAreUsable) {
  auto pool = book("172.28.0.0/16", "172.28.30.0/24");
  auto xs = drain(pool);
  ASSERT_EQ(xs.size(), 256U);
  EXPECT_EQ(xs.front(), "172.28.30.0/16");
  EXPECT_EQ(xs.back(), "172.28.30.255/16");
  auto full = pool.claim_any();
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, ec::unavailable);
  EXPECT_EQ(full.error().message,
            "claim address: no available addresses in 172.28.30.0/24, the "
            "address range of 172.28.0.0/16");
  EXPECT_FALSE(full.error().hint.empty());
  pool.release(ip("172.28.30.97"));
  EXPECT_EQ(text(pool.claim_any()), "172.28.30.97/16");
}

TEST(AddressBook, RangeAtTheEdgesOfTheSubnetLosesTheReservedOnes) {
  auto low = book("10.0.0.0/16", "10.0.0.0/30");
  EXPECT_EQ(drain(low), (std::vector<std::string>{"10.0.0.1/16", "10.0.0.2/16",
                                                  "10.0.0.3/16"}));
  auto high = book("10.0.0.0/16", "10.0.255.252/30");
  EXPECT_EQ(drain(high),
            (std::vector<std::string>{"10.0.255.252/16", "10.0.255.253/16",
                                      "10.0.255.254/16"}));
  auto single = book("10.0.0.0/16", "10.0.0.0/32");
  EXPECT_EQ(single.available(), 0U);
  EXPECT_EQ(text(single.claim_any()), "unavailable");
}

// IP-035. libnetwork's default (IP-034) gives .0 and .1 back at once.
TEST(AddressBook, ReleasedAddressRests) {
  auto pool = book("10.2.0.0/16", "10.2.2.0/24");
  EXPECT_EQ(text(pool.claim(ip("10.2.2.1"))), "10.2.2.1/16");
  EXPECT_EQ(text(pool.claim_any()), "10.2.2.0/16");
  EXPECT_EQ(text(pool.claim_any()), "10.2.2.2/16");
  pool.release(ip("10.2.2.0"));
  EXPECT_EQ(text(pool.claim_any()), "10.2.2.3/16");
  pool.release(ip("10.2.2.1"));
  EXPECT_EQ(text(pool.claim_any()), "10.2.2.4/16");
}

// BS-46.
TEST(AddressBook, WrapsToWhatWasReleasedMeanwhile) {
  auto pool = book("10.0.0.0/29");
  for (auto i = 1; i <= 5; ++i)
    ASSERT_TRUE(pool.claim_any());
  pool.release(ip("10.0.0.2"));
  EXPECT_EQ(text(pool.claim_any()), "10.0.0.6/29");
  EXPECT_EQ(text(pool.claim_any()), "10.0.0.2/29");
  EXPECT_EQ(text(pool.claim_any()), "unavailable");
}

TEST(AddressBook, ExhaustedSubnetIsNamed) {
  auto pool = book("10.0.0.0/29");
  EXPECT_EQ(drain(pool).size(), 6U);
  auto full = pool.claim_any();
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().message,
            "claim address: no available addresses in 10.0.0.0/29");
}

struct fill_case {
  const char* id;
  const char* subnet;
  size_t count;
  const char* last;
};

constexpr fill_case fill_cases[] = {
  {"IP-040", "192.168.59.0/24", 254, "192.168.59.254/24"},
  {"IP-041", "192.168.240.0/20", 255, "192.168.240.255/20"},
  {"IP-043", "192.168.0.0/16", 256, "192.168.1.0/16"},
  {"IP-044", "10.16.0.0/16", 255, "10.16.0.255/16"},
  {"IP-046", "10.0.0.0/8", 256, "10.0.1.0/8"},
  {"IP-047", "192.168.128.0/18", 1023, "192.168.131.255/18"},
  {"IPv6", "fd00::/64", 256, "fd00::100/64"},
};

TEST(AddressBook, GivesAddressesInOrder) {
  for (const auto& x : fill_cases) {
    SCOPED_TRACE(x.id);
    auto pool = book(x.subnet);
    auto xs = drain(pool, x.count);
    ASSERT_EQ(xs.size(), x.count);
    EXPECT_EQ(xs.back(), x.last);
    EXPECT_EQ(std::set<std::string>(xs.begin(), xs.end()).size(), x.count);
  }
}

// IP-049.
TEST(AddressBook, FullSubnetGivesExactlyWhatIsReleased) {
  auto pool = book("192.168.0.0/23");
  EXPECT_EQ(drain(pool).size(), 510U);
  auto hosts = std::vector<std::string>{"0.30", "0.31", "0.254", "1.1",  "1.2",
                                        "1.3",  "1.32", "1.253", "1.254"};
  for (auto i = 1; i <= 10; ++i)
    hosts.push_back("0." + std::to_string(i));
  for (const auto& host : hosts) {
    SCOPED_TRACE(host);
    auto address = "192.168." + host;
    pool.release(ip(address));
    EXPECT_EQ(pool.available(), 1U);
    EXPECT_EQ(text(pool.claim_any()), address + "/23");
    EXPECT_EQ(pool.available(), 0U);
  }
}

TEST(AddressBook, ReleasingWhatIsNotHeldChangesNothing) {
  auto pool = book("10.0.0.0/24", "10.0.0.0/25");
  ASSERT_TRUE(pool.claim(ip("10.0.0.5")));
  for (const auto* x :
       {"10.0.0.6", "10.0.0.0", "10.0.0.255", "10.1.0.1", "::5"})
    pool.release(ip(x));
  EXPECT_EQ(pool.held(), 1U);
  EXPECT_EQ(pool.available(), 126U);
  pool.release(ip("10.0.0.5"));
  pool.release(ip("10.0.0.5"));
  EXPECT_EQ(pool.held(), 0U);
  EXPECT_EQ(pool.available(), 127U);
}

TEST(AddressBook, IsHeldTellsClaimedOnesOnly) {
  auto pool = book("10.0.0.0/24");
  ASSERT_TRUE(pool.claim(ip("10.0.0.5")));
  EXPECT_TRUE(pool.is_held(ip("10.0.0.5")));
  EXPECT_FALSE(pool.is_held(ip("10.0.0.0")));
  EXPECT_FALSE(pool.is_held(ip("10.0.0.255")));
  EXPECT_FALSE(pool.is_held(ip("10.0.0.6")));
  EXPECT_FALSE(pool.is_held(ip("::a00:5")));
}

// ST-01 to ST-08. libnetwork's "in use" counts the addresses kept back as well
// (2 in IPv4, 1 in IPv6); `held` counts what somebody holds.
TEST(AddressBook, CountsFollowLibnetworks) {
  auto v4 = book("192.168.0.0/24", "192.168.0.64/31");
  for (const auto* x : {"192.168.0.1", "192.168.0.65", "192.168.0.128"})
    ASSERT_TRUE(v4.claim(ip(x)));
  EXPECT_EQ(v4.held() + 2, 5U);
  EXPECT_EQ(v4.available(), 1U);

  auto v6 = book("2001:db8:abcd::/64", "2001:db8:abcd::/120");
  for (const auto* x :
       {"2001:db8:abcd::1", "2001:db8:abcd::2a", "2001:db8:abcd::8000"})
    ASSERT_TRUE(v6.claim(ip(x)));
  EXPECT_EQ(v6.held() + 1, 4U);
  EXPECT_EQ(v6.available(), 253U);

  // ST-04: one container with automatic addresses, one with given ones.
  EXPECT_EQ(text(v4.claim_any()), "192.168.0.64/24");
  EXPECT_EQ(text(v6.claim_any()), "2001:db8:abcd::2/64");
  ASSERT_TRUE(v4.claim(ip("192.168.0.129")));
  ASSERT_TRUE(v6.claim(ip("2001:db8:abcd::9000")));
  EXPECT_EQ(v4.held() + 2, 7U);
  EXPECT_EQ(v4.available(), 0U);
  EXPECT_EQ(v6.held() + 1, 6U);
  EXPECT_EQ(v6.available(), 252U);

  // ST-05.
  v4.release(ip("192.168.0.64"));
  v4.release(ip("192.168.0.129"));
  EXPECT_EQ(v4.held() + 2, 5U);
  EXPECT_EQ(v4.available(), 1U);

  // ST-07.
  auto macvlan = book("10.66.77.0/24", "10.66.77.64/30");
  for (const auto* x : {"10.66.77.1", "10.66.77.65", "10.66.77.128"})
    ASSERT_TRUE(macvlan.claim(ip(x)));
  ASSERT_TRUE(macvlan.claim_any());
  EXPECT_EQ(macvlan.held() + 2, 6U);
  EXPECT_EQ(macvlan.available(), 2U);

  // ST-08.
  auto macvlan6 = book("2001:db8:abcd::/64", "2001:db8:abcd::/120");
  ASSERT_TRUE(macvlan6.claim_any());
  EXPECT_EQ(macvlan6.held() + 1, 2U);
  EXPECT_EQ(macvlan6.available(), 254U);
}

TEST(AddressBook, CountsOfHugeSubnetsSaturate) {
  EXPECT_EQ(book("10.0.0.0/8").available(), (1U << 24) - 2);
  EXPECT_EQ(book("0.0.0.0/0").available(), 0xffff'fffeU);
  // Exact up to the last bit: 2^64 without the one that is kept back.
  EXPECT_EQ(book("fd00::/64").available(), UINT64_MAX);
  EXPECT_EQ(book("fd00::/65").available(), (uint64_t{1} << 63) - 1);
  EXPECT_EQ(book("fd00::/8").available(), UINT64_MAX);
  auto all = book("::/0");
  EXPECT_EQ(all.available(), UINT64_MAX);
  EXPECT_EQ(text(all.claim_any()), "::1/0");
  EXPECT_EQ(text(all.claim(ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"))),
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/0");
}

// A scan from the start would need 10^11 steps for this.
TEST(AddressBook, FullSubnetIsAsQuickAsAnEmptyOne) {
  auto pool = book("10.16.0.0/12");
  constexpr auto count = (1U << 20) - 2;
  for (auto i = 0U; i < count; ++i)
    if (!pool.claim_any())
      FAIL() << "after " << i;
  EXPECT_EQ(text(pool.claim_any()), "unavailable");
  pool.release(ip("10.17.77.77"));
  for (auto i = 0; i < 100'000; ++i) {
    ASSERT_EQ(pool.claim_any()->address, ip("10.17.77.77"));
    pool.release(ip("10.17.77.77"));
  }
}

} // namespace
} // namespace troupe::ipam
