#include "troupe/tests/unit/netns/kernel_contract.hpp"

#include <algorithm>
#include <cerrno>

namespace troupe::test {

using netns::link_change;
using netns::route_info;
using netns::sysctl;

namespace {

/// A route from texts; an empty text means none.
route_info route(std::string_view destination, std::string_view gateway,
                 int index, uint32_t metric = 0) {
  auto x = route_info{};
  if (!destination.empty())
    x.destination = net(destination);
  if (!gateway.empty())
    x.gateway = ip(gateway);
  x.family = x.destination ? x.destination->family()
             : x.gateway   ? x.gateway->family()
                           : ip_family::v4;
  x.index = index;
  x.metric = metric;
  return x;
}

std::vector<route_info> sorted(result<std::vector<route_info>> xs) {
  EXPECT_TRUE(works(xs));
  if (!xs)
    return {};
  std::ranges::sort(*xs);
  return *xs;
}

link_change up(bool on) {
  auto change = link_change{};
  change.up = on;
  return change;
}

} // namespace

TEST_P(KernelContract, RoutesNeedALinkThatIsUp) {
  auto bridge = make_bridge("br0");
  ASSERT_TRUE(works(host().add_address(bridge, cidr("10.0.0.1/24"))));
  ASSERT_TRUE(works(host().set_link(bridge, up(false))));
  ASSERT_TRUE(works(host().add_address(bridge, cidr("fd00::1/64"))));
  for (auto text : {"10.1.0.0/16", "fd01::/64"})
    EXPECT_TRUE(
      fails_with(ENETDOWN, host().add_route(route(text, "", bridge))));
  for (auto text : {"10.0.0.2", "fd00::2"})
    EXPECT_TRUE(
      fails_with(ENETUNREACH, host().add_route(route("", text, bridge))));
  for (auto text : {"10.1.0.0/16", "fd01::/64"})
    EXPECT_TRUE(fails_with(ENODEV, host().add_route(route(text, "", 9999))));
  EXPECT_TRUE(
    fails_with(ENETUNREACH, host().add_route(route("", "10.0.0.2", 9999))));
  EXPECT_TRUE(fails_with(ENODEV, host().add_route(route("", "fd00::2", 9999))));
  EXPECT_TRUE(host().routes().value().empty());
}

TEST_P(KernelContract, ListsTheRoutesItWasGiven) {
  auto bridge = make_bridge("br0");
  for (auto text : {"10.0.0.1/24", "fd00::1/64"})
    ASSERT_TRUE(works(host().add_address(bridge, cidr(text))));
  auto wanted = std::vector{route("", "10.0.0.2", bridge),
                            route("", "fd00::2", bridge),
                            route("10.1.0.0/16", "", bridge),
                            route("10.2.0.0/16", "10.0.0.3", bridge, 5),
                            route("fd01::/64", "", bridge),
                            route("fd02::/64", "fd00::3", bridge, 5)};
  for (const auto& x : wanted)
    ASSERT_TRUE(works(host().add_route(x)));
  std::ranges::sort(wanted);
  EXPECT_EQ(sorted(host().routes()), wanted);
  for (const auto& x : wanted)
    EXPECT_TRUE(fails_with(EEXIST, host().add_route(x)));
  for (const auto& x : wanted) {
    EXPECT_TRUE(works(host().del_route(x)));
    EXPECT_TRUE(fails_with(ESRCH, host().del_route(x)));
  }
  EXPECT_TRUE(host().routes().value().empty());
}

TEST_P(KernelContract, AGatewayMustBeOnLink) {
  auto bridge = make_bridge("br0");
  auto other = make_bridge("br1", "02:00:00:00:00:02");
  for (auto text : {"10.0.0.1/24", "fd00::1/64"})
    ASSERT_TRUE(works(host().add_address(bridge, cidr(text))));
  for (auto gateway : {"10.9.0.2", "fd09::2"}) {
    auto refused = host().add_route(route("", gateway, bridge));
    EXPECT_TRUE(fails_with(ENETUNREACH, refused));
  }
  for (auto gateway : {"10.0.0.2", "fd00::2"})
    EXPECT_TRUE(
      fails_with(ENETUNREACH, host().add_route(route("", gateway, other))));
  EXPECT_TRUE(
    fails_with(EINVAL, host().add_route(route("", "fd00::1", bridge))));
  EXPECT_TRUE(
    fails_with(EINVAL, host().add_route(route("", "10.0.0.255", bridge))));
  // A route without gateway makes others reachable, one with does not.
  ASSERT_TRUE(works(host().add_route(route("10.9.0.0/24", "", bridge))));
  EXPECT_TRUE(works(host().add_route(route("", "10.9.0.2", bridge))));
  ASSERT_TRUE(
    works(host().add_route(route("10.8.0.0/24", "10.0.0.8", bridge))));
  EXPECT_TRUE(fails_with(
    ENETUNREACH, host().add_route(route("10.7.0.0/24", "10.8.0.1", bridge))));
}

TEST_P(KernelContract, ADestinationAndMetricTakeOneRoute) {
  auto bridge = make_bridge("br0");
  for (auto text : {"10.0.0.1/24", "fd00::1/64"})
    ASSERT_TRUE(works(host().add_address(bridge, cidr(text))));
  ASSERT_TRUE(works(host().add_route(route("", "10.0.0.2", bridge))));
  EXPECT_TRUE(
    fails_with(EEXIST, host().add_route(route("", "10.0.0.3", bridge))));
  EXPECT_TRUE(works(host().add_route(route("", "10.0.0.3", bridge, 5))));
  ASSERT_TRUE(works(host().add_route(route("", "fd00::2", bridge))));
  EXPECT_TRUE(
    fails_with(EEXIST, host().add_route(route("", "fd00::3", bridge))));
  EXPECT_TRUE(works(host().add_route(route("", "fd00::3", bridge, 5))));
  // The route of an address counts for IPv4; for IPv6 it has another metric.
  EXPECT_TRUE(
    fails_with(EEXIST, host().add_route(route("10.0.0.0/24", "", bridge))));
  EXPECT_TRUE(works(host().add_route(route("fd00::/64", "", bridge))));
}

TEST_P(KernelContract, DeletesRoutesByWhatIsNamed) {
  auto bridge = make_bridge("br0");
  auto other = make_bridge("br1", "02:00:00:00:00:02");
  for (auto text : {"10.0.0.1/24", "fd00::1/64"})
    ASSERT_TRUE(works(host().add_address(bridge, cidr(text))));
  ASSERT_TRUE(
    works(host().add_route(route("10.1.0.0/16", "10.0.0.2", bridge, 5))));
  ASSERT_TRUE(
    works(host().add_route(route("fd01::/64", "fd00::2", bridge, 5))));
  for (auto [text, wrong] : {std::pair{"10.1.0.0/16", "10.0.0.3"},
                             std::pair{"fd01::/64", "fd00::3"}}) {
    EXPECT_TRUE(fails_with(ESRCH, host().del_route(route(text, wrong, 0))));
    EXPECT_TRUE(fails_with(ESRCH, host().del_route(route(text, "", other))));
    EXPECT_TRUE(fails_with(ESRCH, host().del_route(route(text, "", 0, 6))));
    EXPECT_TRUE(works(host().del_route(route(text, "", bridge))));
  }
  EXPECT_TRUE(host().routes().value().empty());
}

TEST_P(KernelContract, RoutesGoWithTheirLink) {
  auto bridge = make_bridge("br0");
  auto fill = [&] {
    ASSERT_TRUE(works(host().add_route(route("", "10.0.0.2", bridge))));
    ASSERT_TRUE(works(host().add_route(route("10.1.0.0/16", "", bridge))));
  };
  ASSERT_TRUE(works(host().add_address(bridge, cidr("10.0.0.1/24"))));
  ASSERT_TRUE(works(host().add_address(bridge, cidr("fd00::1/64"))));
  ASSERT_TRUE(works(host().add_route(route("", "fd00::2", bridge))));
  fill();
  ASSERT_TRUE(works(host().set_sysctl(sysctl::ipv6_disable, "br0", 1)));
  EXPECT_EQ(host().routes().value().size(), 2U);
  auto refused = host().add_route(route("fd01::/64", "", bridge));
  EXPECT_TRUE(fails_with(EACCES, refused));
  ASSERT_TRUE(works(host().set_link(bridge, up(false))));
  EXPECT_TRUE(host().routes().value().empty());
  ASSERT_TRUE(works(host().set_link(bridge, up(true))));
  EXPECT_TRUE(host().routes().value().empty());
  fill();
  ASSERT_TRUE(works(host().del_link(bridge)));
  EXPECT_TRUE(host().routes().value().empty());
}

TEST_P(KernelContract, WithoutIpv4AddressALinkLosesItsIpv4Routes) {
  auto bridge = make_bridge("br0");
  for (auto text : {"10.0.0.1/24", "10.3.0.1/24"})
    ASSERT_TRUE(works(host().add_address(bridge, cidr(text))));
  ASSERT_TRUE(
    works(host().add_route(route("10.33.0.0/24", "10.3.0.9", bridge))));
  ASSERT_TRUE(works(host().del_address(bridge, cidr("10.3.0.1/24"))));
  EXPECT_EQ(host().routes().value().size(), 1U);
  ASSERT_TRUE(works(host().del_address(bridge, cidr("10.0.0.1/24"))));
  EXPECT_TRUE(host().routes().value().empty());
}

TEST_P(KernelContract, NamesEverySubnetThatIsRouted) {
  auto bridge = make_bridge("br0");
  for (auto text : {"10.0.0.1/24", "10.0.0.2/24", "10.5.0.1/32", "fd00::1/64"})
    ASSERT_TRUE(works(host().add_address(bridge, cidr(text))));
  ASSERT_TRUE(works(host().add_route(route("", "10.0.0.9", bridge))));
  ASSERT_TRUE(
    works(host().add_route(route("10.1.0.0/16", "10.0.0.9", bridge))));
  ASSERT_TRUE(works(host().add_route(route("fd01::/64", "", bridge))));
  auto found = host().routed_subnets();
  ASSERT_TRUE(works(found));
  std::ranges::sort(*found);
  EXPECT_EQ(*found, (std::vector{net("10.0.0.0/24"), net("10.1.0.0/16"),
                                 net("fd00::/64"), net("fd01::/64")}));
  ASSERT_TRUE(works(host().set_link(bridge, up(false))));
  EXPECT_TRUE(host().routed_subnets().value().empty());
}

} // namespace troupe::test
