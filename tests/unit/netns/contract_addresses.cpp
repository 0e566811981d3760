#include "troupe/netns/link_local.hpp"
#include "troupe/tests/unit/netns/kernel_contract.hpp"

#include <algorithm>
#include <cerrno>

namespace troupe::test {

using netns::link_change;
using netns::neighbour_info;
using netns::sysctl;

namespace {

using list = std::vector<interface_address>;

link_change up(bool on) {
  auto change = link_change{};
  change.up = on;
  return change;
}

link_change with_mtu(uint32_t mtu_bytes) {
  auto change = link_change{};
  change.mtu_bytes = mtu_bytes;
  return change;
}

} // namespace

TEST_P(KernelContract, AddsAndDeletesAddresses) {
  auto bridge = make_bridge("br0");
  EXPECT_TRUE(host().addresses(bridge).value().empty());
  for (auto text : {"10.0.0.1/24", "fd00::1/64"}) {
    ASSERT_TRUE(works(host().add_address(bridge, cidr(text))));
    EXPECT_TRUE(fails_with(EEXIST, host().add_address(bridge, cidr(text))));
  }
  EXPECT_EQ(host().addresses(bridge).value(),
            (list{cidr("10.0.0.1/24"), cidr("fd00::1/64")}));
  for (auto text : {"10.0.0.2/24", "10.0.0.1/25", "fd00::2/64", "fd00::1/80"})
    EXPECT_TRUE(
      fails_with(EADDRNOTAVAIL, host().del_address(bridge, cidr(text))));
  for (auto text : {"10.0.0.1/24", "fd00::1/64"})
    ASSERT_TRUE(works(host().del_address(bridge, cidr(text))));
  EXPECT_TRUE(host().addresses(bridge).value().empty());
}

TEST_P(KernelContract, TakesTheSameIpv4AddressWithAnotherLength) {
  auto bridge = make_bridge("br0");
  ASSERT_TRUE(works(host().add_address(bridge, cidr("10.0.0.1/24"))));
  EXPECT_TRUE(works(host().add_address(bridge, cidr("10.0.0.1/16"))));
  ASSERT_TRUE(works(host().add_address(bridge, cidr("fd00::1/64"))));
  EXPECT_TRUE(
    fails_with(EEXIST, host().add_address(bridge, cidr("fd00::1/80"))));
}

TEST_P(KernelContract, TakesTheSameAddressOnTwoLinks) {
  auto one = make_bridge("br0");
  auto two = make_bridge("br1", "02:00:00:00:00:02");
  for (auto index : {one, two})
    for (auto text : {"10.0.0.1/24", "fd00::1/64"})
      EXPECT_TRUE(works(host().add_address(index, cidr(text))));
}

TEST_P(KernelContract, RefusesAddressesThatAreNone) {
  auto bridge = make_bridge("br0");
  for (auto text : {"ff02::5/64", "::/64", "::1/128"})
    EXPECT_TRUE(
      fails_with(EADDRNOTAVAIL, host().add_address(bridge, cidr(text))));
  EXPECT_TRUE(host().addresses(bridge).value().empty());
}

TEST_P(KernelContract, AddressesNeedALink) {
  EXPECT_TRUE(fails_with(ENODEV, host().addresses(9999)));
  for (auto text : {"10.0.0.1/24", "fd00::1/64"}) {
    EXPECT_TRUE(fails_with(ENODEV, host().add_address(9999, cidr(text))));
    EXPECT_TRUE(fails_with(ENODEV, host().del_address(9999, cidr(text))));
  }
}

TEST_P(KernelContract, OtherAddressesOfASubnetStay) {
  auto bridge = make_bridge("br0");
  for (auto text : {"10.0.0.1/24", "10.0.0.2/24", "10.0.0.3/24", "10.9.0.1/24"})
    ASSERT_TRUE(works(host().add_address(bridge, cidr(text))));
  auto left = [&] {
    auto result = host().addresses(bridge).value();
    std::ranges::sort(result);
    return result;
  };
  ASSERT_TRUE(works(host().del_address(bridge, cidr("10.0.0.1/24"))));
  EXPECT_EQ(left(), (list{cidr("10.0.0.2/24"), cidr("10.0.0.3/24"),
                          cidr("10.9.0.1/24")}));
  EXPECT_EQ(host().routed_subnets().value(),
            (std::vector{net("10.0.0.0/24"), net("10.9.0.0/24")}));
  auto again = host().del_address(bridge, cidr("10.0.0.1/24"));
  EXPECT_TRUE(fails_with(EADDRNOTAVAIL, again));
  ASSERT_TRUE(works(host().del_address(bridge, cidr("10.0.0.3/24"))));
  ASSERT_TRUE(works(host().del_address(bridge, cidr("10.0.0.2/24"))));
  EXPECT_EQ(left(), list{cidr("10.9.0.1/24")});
}

TEST_P(KernelContract, ALinkThatGoesDownKeepsItsIpv4AddressesOnly) {
  auto bridge = make_bridge("br0");
  for (auto text : {"10.0.0.1/24", "fd00::1/64"})
    ASSERT_TRUE(works(host().add_address(bridge, cidr(text))));
  ASSERT_TRUE(works(host().set_link(bridge, up(false))));
  EXPECT_EQ(host().addresses(bridge).value(), list{cidr("10.0.0.1/24")});
  // Given to a link that is down they stay.
  ASSERT_TRUE(works(host().add_address(bridge, cidr("fd00::1/64"))));
  ASSERT_TRUE(works(host().set_link(bridge, up(true))));
  EXPECT_EQ(host().addresses(bridge).value().size(), 2U);
}

TEST_P(KernelContract, Ipv6CanBeDisabled) {
  auto bridge = make_bridge("br0");
  ASSERT_TRUE(works(host().add_address(bridge, cidr("10.0.0.1/24"))));
  ASSERT_TRUE(works(host().add_address(bridge, cidr("fd00::1/64"))));
  ASSERT_TRUE(works(host().set_sysctl(sysctl::ipv6_disable, "br0", 1)));
  EXPECT_EQ(host().addresses(bridge).value(), list{cidr("10.0.0.1/24")});
  auto refused = host().add_address(bridge, cidr("fd00::1/64"));
  EXPECT_TRUE(fails_with(EACCES, refused));
  EXPECT_TRUE(
    fails_with(EADDRNOTAVAIL, host().del_address(bridge, cidr("fd00::1/64"))));
  ASSERT_TRUE(works(host().set_sysctl(sysctl::ipv6_disable, "br0", 0)));
  EXPECT_TRUE(works(host().add_address(bridge, cidr("fd00::1/64"))));
}

TEST_P(KernelContract, Ipv6NeedsAnMtuOf1280) {
  auto bridge = make_bridge("br0");
  ASSERT_TRUE(works(host().add_address(bridge, cidr("fd00::1/64"))));
  ASSERT_TRUE(works(host().set_link(bridge, with_mtu(1279))));
  EXPECT_TRUE(host().addresses(bridge).value().empty());
  EXPECT_TRUE(
    fails_with(EINVAL, host().add_address(bridge, cidr("fd00::1/64"))));
  EXPECT_TRUE(
    fails_with(ENXIO, host().del_address(bridge, cidr("fd00::1/64"))));
  EXPECT_TRUE(
    fails_with(ENOENT, host().read_sysctl(sysctl::ipv6_disable, "br0")));
  ASSERT_TRUE(works(host().set_link(bridge, with_mtu(1280))));
  EXPECT_TRUE(works(host().add_address(bridge, cidr("fd00::1/64"))));
}

TEST_P(KernelContract, TheLoopbackDeviceGetsItsAddressesByItself) {
  auto path = machine_->make_external_namespace();
  auto there = host().enter(host().adopt_namespace("a", path).value()).value();
  EXPECT_TRUE(there->addresses(1).value().empty());
  ASSERT_TRUE(works(there->set_link(1, up(true))));
  EXPECT_EQ(there->addresses(1).value(),
            (list{cidr("127.0.0.1/8"), cidr("::1/128")}));
  ASSERT_TRUE(works(there->set_sysctl(sysctl::ipv6_disable, "lo", 1)));
  EXPECT_EQ(there->addresses(1).value(), list{cidr("127.0.0.1/8")});
  ASSERT_TRUE(works(there->set_sysctl(sysctl::ipv6_disable, "lo", 0)));
  EXPECT_EQ(there->addresses(1).value().size(), 2U);
  ASSERT_TRUE(works(there->set_link(1, up(false))));
  EXPECT_EQ(there->addresses(1).value(), list{cidr("127.0.0.1/8")});
}

TEST_P(KernelContract, SetsAndDeletesNeighbours) {
  auto bridge = make_bridge("br0");
  auto entry = neighbour_info{bridge, ip("10.0.0.9"), mac("02:00:00:00:00:09")};
  EXPECT_TRUE(fails_with(ENOENT, host().del_neighbour(entry)));
  ASSERT_TRUE(works(host().set_neighbour(entry)));
  entry.mac = mac("02:00:00:00:00:0a");
  ASSERT_TRUE(works(host().set_neighbour(entry)));
  EXPECT_TRUE(works(host().del_neighbour(entry)));
  EXPECT_TRUE(fails_with(ENOENT, host().del_neighbour(entry)));
  entry.index = 9999;
  EXPECT_TRUE(fails_with(ENODEV, host().set_neighbour(entry)));
  EXPECT_TRUE(fails_with(ENODEV, host().del_neighbour(entry)));
}

TEST_P(KernelContract, NeighboursGoWhenTheLinkGoesDown) {
  auto bridge = make_bridge("br0");
  auto v4 = neighbour_info{bridge, ip("10.0.0.9"), mac("02:00:00:00:00:09")};
  auto v6 = neighbour_info{bridge, ip("fd00::9"), mac("02:00:00:00:00:09")};
  ASSERT_TRUE(works(host().set_neighbour(v4)));
  ASSERT_TRUE(works(host().set_neighbour(v6)));
  ASSERT_TRUE(works(host().set_sysctl(sysctl::ipv6_disable, "br0", 1)));
  EXPECT_TRUE(fails_with(ENOENT, host().del_neighbour(v6)));
  EXPECT_TRUE(fails_with(EINVAL, host().set_neighbour(v6)));
  ASSERT_TRUE(works(host().set_link(bridge, up(false))));
  EXPECT_TRUE(fails_with(ENOENT, host().del_neighbour(v4)));
}

namespace {

bool has_local_route(netns::kernel& k, int index, const ip_address& address) {
  auto routes = k.link_routes(index).value();
  return std::ranges::any_of(routes, [&](const auto& x) {
    return x.type == netns::route_type::local
           && x.destination == prefix{address, 128};
  });
}

} // namespace

TEST_P(KernelContract, LinksHaveALinkLocalAddressThatCanBeLostAndAdded) {
  auto there = make_namespace("a");
  auto bridge = make_bridge("br0");
  make_veth("v0", there, "eth0", bridge);
  auto& inside = *there.kernel;
  auto eth0 = inside.link_index("eth0").value();
  ASSERT_TRUE(works(inside.set_sysctl(sysctl::ipv6_accept_dad, "eth0", 0)));
  ASSERT_TRUE(works(inside.set_sysctl(sysctl::ipv6_disable, "eth0", 0)));
  ASSERT_TRUE(works(inside.set_link(eth0, up(true))));
  ASSERT_TRUE(works(host().set_link(bridge, up(true))));
  struct place {
    netns::kernel& kernel;
    int index;
  };
  for (auto [k, index] : {place{inside, eth0}, place{host(), bridge}}) {
    const auto own = netns::link_local_of(k.link(index).value().mac);
    auto is_there = [&, &k = k, index = index] {
      return has_local_route(k, index, own.address);
    };
    ASSERT_TRUE(machine_->eventually(is_there));
    EXPECT_TRUE(fails_with(EEXIST, k.add_address(index, own)));
    EXPECT_TRUE(k.addresses(index).value().empty());
    ASSERT_TRUE(works(k.del_address(index, own)));
    EXPECT_FALSE(is_there());
    EXPECT_TRUE(fails_with(EADDRNOTAVAIL, k.del_address(index, own)));
    ASSERT_TRUE(works(k.add_address(index, own)));
    EXPECT_TRUE(machine_->eventually(is_there));
    EXPECT_TRUE(k.addresses(index).value().empty());
    EXPECT_TRUE(k.all_addresses().value().empty()
                || k.all_addresses().value().front().index != index);
  }
}

TEST_P(KernelContract, AskedNotToALinkMakesItselfNoLinkLocalAddress) {
  auto there = make_namespace("a");
  make_veth("v0", there);
  auto& inside = *there.kernel;
  auto eth0 = inside.link_index("eth0").value();
  ASSERT_TRUE(works(inside.set_link(eth0, up(false))));
  ASSERT_TRUE(works(inside.set_sysctl(sysctl::ipv6_addr_gen_mode, "eth0", 1)));
  ASSERT_TRUE(works(inside.set_link(eth0, up(true))));
  const auto own = netns::link_local_of(inside.link(eth0).value().mac);
  EXPECT_TRUE(works(inside.add_address(eth0, own)));
}

TEST_P(KernelContract, TellsWhoHasAnAddress) {
  auto bridge = make_bridge("br0");
  for (auto text : {"10.0.0.9", "fd00::9"}) {
    auto entry = neighbour_info{bridge, ip(text), mac("02:00:00:00:00:09")};
    EXPECT_TRUE(fails_with(ENOENT, host().neighbour(bridge, ip(text))));
    ASSERT_TRUE(works(host().set_neighbour(entry)));
    EXPECT_EQ(host().neighbour(bridge, ip(text)).value(), entry);
    ASSERT_TRUE(works(host().del_neighbour(entry)));
    EXPECT_TRUE(fails_with(ENOENT, host().neighbour(bridge, ip(text))));
    EXPECT_TRUE(fails_with(ENODEV, host().neighbour(9999, ip(text))));
  }
}

} // namespace troupe::test
