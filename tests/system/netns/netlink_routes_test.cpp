#include "troupe/tests/system/netns/netlink_fixture.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string_view>

#include <linux/rtnetlink.h>

using namespace troupe;
using namespace troupe::netns;

namespace {

/// A namespace whose `eth0` is connected to a bridge and up.
class NetlinkRoutes : public test::netlink_test {
protected:
  void SetUp() override {
    netlink_test::SetUp();
    if (!kernel)
      return;
    auto bridge = make_bridge();
    auto ns = kernel->create_namespace("a");
    ASSERT_OK(ns);
    ASSERT_OK(kernel->add_veth(veth("h0", bridge, *ns)));
    auto entered = kernel->enter(*ns);
    ASSERT_OK(entered);
    inside = std::move(*entered);
    eth0 = inside->link_index("eth0").value_or(0);
    raise(*inside, eth0);
  }

  void TearDown() override {
    inside.reset();
    netlink_test::TearDown();
  }

  void enable_ipv6() {
    ASSERT_OK(inside->set_sysctl(sysctl::ipv6_addr_gen_mode, "eth0", 1));
    ASSERT_OK(inside->set_sysctl(sysctl::ipv6_disable, "eth0", 0));
  }

  std::unique_ptr<netns::kernel> inside;
  int eth0 = 0;
};

interface_address address(std::string_view text) {
  return *interface_address::parse(text);
}

route_info route(std::string_view to, std::string_view via, int index) {
  auto result = route_info{};
  if (!to.empty())
    result.destination = *prefix::parse(to);
  if (!via.empty())
    result.gateway = *ip_address::parse(via);
  result.family = result.destination ? result.destination->family()
                                     : result.gateway->family();
  result.index = index;
  return result;
}

TEST_F(NetlinkRoutes, AddressesComeAndGo) {
  auto wanted = address("10.1.0.5/16");
  ASSERT_OK(inside->add_address(eth0, wanted));
  EXPECT_EQ(*inside->addresses(eth0), std::vector{wanted});
  EXPECT_ERRNO(inside->add_address(eth0, wanted), EEXIST);
  ASSERT_OK(inside->del_address(eth0, wanted));
  EXPECT_TRUE(inside->addresses(eth0)->empty());
  EXPECT_ERRNO(inside->del_address(eth0, wanted), EADDRNOTAVAIL);
}

TEST_F(NetlinkRoutes, AddressesOfOtherLinksAreNotListed) {
  ASSERT_OK(inside->add_address(eth0, address("10.1.0.5/16")));
  auto loopback = inside->link_index("lo").value_or(0);
  EXPECT_EQ(*inside->addresses(loopback), std::vector{address("127.0.0.1/8")});
}

TEST_F(NetlinkRoutes, AddressesOfUnknownLinksAreEnodev) {
  for (auto* text : {"10.1.0.5/16", "fd00::5/64"}) {
    EXPECT_ERRNO(inside->add_address(4711, address(text)), ENODEV);
    EXPECT_ERRNO(inside->del_address(4711, address(text)), ENODEV);
  }
  EXPECT_ERRNO(inside->addresses(4711), ENODEV);
}

TEST_F(NetlinkRoutes, Ipv6IsOffUntilItIsEnabled) {
  auto wanted = address("fd00:1::5/64");
  auto refused = inside->add_address(eth0, wanted);
  EXPECT_ERRNO(refused, EACCES);
  EXPECT_NE(refused.error().message.find("IPv6 is disabled"), std::string::npos)
    << refused.error().message;
  enable_ipv6();
  ASSERT_OK(inside->add_address(eth0, wanted));
  EXPECT_EQ(*inside->addresses(eth0), std::vector{wanted});
  EXPECT_ERRNO(inside->add_address(eth0, wanted), EEXIST);
  ASSERT_OK(inside->del_address(eth0, wanted));
  EXPECT_ERRNO(inside->del_address(eth0, wanted), EADDRNOTAVAIL);
}

TEST_F(NetlinkRoutes, LinkLocalAddressesTheKernelMadeAreNotListed) {
  ASSERT_OK(inside->set_sysctl(sysctl::ipv6_disable, "eth0", 0));
  auto own = address("fe80::1/64");
  ASSERT_OK(inside->add_address(eth0, own));
  EXPECT_EQ(*inside->addresses(eth0), std::vector{own});
}

TEST_F(NetlinkRoutes, RoutesComeAndGo) {
  ASSERT_OK(inside->add_address(eth0, address("10.1.0.5/16")));
  enable_ipv6();
  ASSERT_OK(inside->add_address(eth0, address("fd00:1::5/64")));
  auto wanted = std::vector{route("", "10.1.0.1", eth0),
                            route("10.2.0.0/16", "10.1.0.2", eth0),
                            route("10.3.0.0/24", "", eth0),
                            route("", "fd00:1::1", eth0),
                            route("fd00:2::/64", "fd00:1::2", eth0),
                            route("fd00:3::/64", "", eth0)};
  wanted[1].metric = 7;
  wanted[4].metric = 8;
  for (auto& x : wanted)
    ASSERT_OK(inside->add_route(x));
  auto present = *inside->routes();
  std::ranges::sort(present);
  std::ranges::sort(wanted);
  EXPECT_EQ(present, wanted);
  for (auto& x : wanted) {
    EXPECT_ERRNO(inside->add_route(x), EEXIST);
    EXPECT_OK(inside->del_route(x));
    EXPECT_ERRNO(inside->del_route(x), ESRCH);
  }
  EXPECT_TRUE(inside->routes()->empty());
}

TEST_F(NetlinkRoutes, AGatewayMustBeOnLink) {
  ASSERT_OK(inside->add_address(eth0, address("10.1.0.5/16")));
  auto done = inside->add_route(route("", "192.168.7.1", eth0));
  EXPECT_ERRNO(done, ENETUNREACH);
  EXPECT_NE(done.error().message.find("invalid gateway"), std::string::npos)
    << done.error().message;
  enable_ipv6();
  ASSERT_OK(inside->add_address(eth0, address("fd00:1::5/64")));
  EXPECT_ERRNO(inside->add_route(route("", "fd00:7::1", eth0)), ENETUNREACH);
}

TEST_F(NetlinkRoutes, RoutesNeedALinkThatIsUp) {
  ASSERT_OK(inside->add_address(eth0, address("10.1.0.5/16")));
  EXPECT_ERRNO(inside->add_route(route("10.9.0.0/16", "", 4711)), ENODEV);
  EXPECT_ERRNO(inside->add_route(route("", "10.1.0.1", 4711)), ENETUNREACH);
  auto down = link_change{};
  down.up = false;
  ASSERT_OK(inside->set_link(eth0, down));
  EXPECT_ERRNO(inside->add_route(route("10.9.0.0/16", "", eth0)), ENETDOWN);
  // The kernel looks the gateway up before it looks at the link.
  EXPECT_ERRNO(inside->add_route(route("", "10.1.0.1", eth0)), ENETUNREACH);
}

TEST_F(NetlinkRoutes, AFreshNamespaceHasNoRoutes) {
  ASSERT_OK(inside->routes());
  EXPECT_TRUE(inside->routes()->empty());
  EXPECT_TRUE(kernel->routed_subnets()->empty());
}

TEST_F(NetlinkRoutes, RoutedSubnetsHoldKernelMadeOnesButNoLinkLocal) {
  ASSERT_OK(inside->add_address(eth0, address("10.1.0.5/16")));
  ASSERT_OK(inside->set_sysctl(sysctl::ipv6_disable, "eth0", 0));
  ASSERT_OK(inside->add_address(eth0, address("fd00:1::5/64")));
  ASSERT_OK(inside->add_route(route("10.2.0.0/16", "10.1.0.2", eth0)));
  ASSERT_OK(inside->add_route(route("", "10.1.0.1", eth0)));
  auto wanted
    = std::vector{*prefix::parse("10.1.0.0/16"), *prefix::parse("10.2.0.0/16"),
                  *prefix::parse("fd00:1::/64")};
  EXPECT_EQ(*inside->routed_subnets(), wanted);
}

TEST_F(NetlinkRoutes, EachHopOfAMultipathRouteIsListed) {
  ASSERT_OK(inside->add_address(eth0, address("10.1.0.5/16")));
  ASSERT_EQ(std::system(("nsenter --net=" + pin_dir()
                         + "/a ip route add 10.8.0.0/16 nexthop via 10.1.0.1"
                           " nexthop via 10.1.0.2")
                          .c_str()),
            0);
  auto wanted = std::vector{route("10.8.0.0/16", "10.1.0.1", eth0),
                            route("10.8.0.0/16", "10.1.0.2", eth0)};
  for (auto& x : wanted)
    x.protocol = RTPROT_BOOT; // What ip says when it is not told.
  EXPECT_EQ(*inside->routes(), wanted);
}

TEST_F(NetlinkRoutes, NeighboursAreReplacedAndRemoved) {
  auto wanted = neighbour_info{eth0, *ip_address::parse("10.1.0.9"),
                               *mac_address::parse("02:00:00:00:00:01")};
  ASSERT_OK(inside->set_neighbour(wanted));
  wanted.mac = *mac_address::parse("02:00:00:00:00:02");
  EXPECT_OK(inside->set_neighbour(wanted));
  EXPECT_OK(inside->del_neighbour(wanted));
  EXPECT_ERRNO(inside->del_neighbour(wanted), ENOENT);
  wanted.index = 4711;
  EXPECT_ERRNO(inside->set_neighbour(wanted), ENODEV);
}

} // namespace
