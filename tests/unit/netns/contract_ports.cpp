#include "troupe/tests/unit/netns/kernel_contract.hpp"

#include <cerrno>

namespace troupe::test {

using netns::bridge_request;
using netns::link_change;
using netns::port_flags;

namespace {

link_change with_master(int index) {
  auto change = link_change{};
  change.master = index;
  return change;
}

} // namespace

TEST_P(KernelContract, SetsPortFlags) {
  auto bridge = make_bridge("br0");
  auto there = make_namespace("a");
  auto port = make_veth("v0", there, "eth0", bridge);
  auto flags = port_flags{};
  flags.isolated = true;
  flags.hairpin = true;
  flags.learning = false;
  ASSERT_TRUE(works(host().set_port_flags(port, flags)));
  EXPECT_TRUE(has_flags(look(host(), "v0"), flags));
  ASSERT_TRUE(works(host().set_port_flags(port, {})));
  EXPECT_TRUE(has_flags(look(host(), "v0"), (port_flags{})));
}

TEST_P(KernelContract, OnlyPortsHavePortFlags) {
  auto there = make_namespace("a");
  auto index = make_veth("v0", there);
  auto refused = host().set_port_flags(index, {});
  EXPECT_TRUE(fails_with(EOPNOTSUPP, refused));
  EXPECT_TRUE(fails_with(ec::unsupported, refused));
}

TEST_P(KernelContract, MovesAPortBetweenBridges) {
  auto one = make_bridge("br0");
  auto two = make_bridge("br1", "02:00:00:00:00:02");
  auto there = make_namespace("a");
  auto port = make_veth("v0", there, "eth0", one);
  auto isolated = port_flags{};
  isolated.isolated = true;
  ASSERT_TRUE(works(host().set_port_flags(port, isolated)));
  ASSERT_TRUE(works(host().set_link(port, with_master(one))));
  EXPECT_TRUE(has_flags(look(host(), "v0"), isolated));
  ASSERT_TRUE(works(host().set_link(port, with_master(two))));
  EXPECT_EQ(look(host(), "v0").master, two);
  EXPECT_TRUE(has_flags(look(host(), "v0"), (port_flags{})));
  ASSERT_TRUE(works(host().set_link(port, with_master(0))));
  EXPECT_EQ(look(host(), "v0").master, 0);
  EXPECT_FALSE(look(host(), "v0").port);
  EXPECT_TRUE(works(host().set_link(port, with_master(0))));
}

TEST_P(KernelContract, RefusesBadMasters) {
  auto one = make_bridge("br0");
  auto two = make_bridge("br1", "02:00:00:00:00:02");
  auto there = make_namespace("a");
  auto link = make_veth("v0", there);
  auto unknown = host().set_link(link, with_master(9999));
  EXPECT_TRUE(fails_with(ENODEV, unknown));
  EXPECT_TRUE(fails_with(ec::not_found, unknown));
  EXPECT_TRUE(fails_with(EOPNOTSUPP, host().set_link(link, with_master(1))));
  EXPECT_TRUE(fails_with(ELOOP, host().set_link(two, with_master(one))));
  EXPECT_TRUE(fails_with(EINVAL, host().set_link(1, with_master(one))));
  EXPECT_EQ(look(host(), "v0").master, 0);
  // Moving to a master that is none releases the port all the same.
  ASSERT_TRUE(works(host().set_link(link, with_master(one))));
  EXPECT_TRUE(fails_with(ENODEV, host().set_link(link, with_master(9999))));
  EXPECT_EQ(look(host(), "v0").master, 0);
}

TEST_P(KernelContract, AnExplicitMacAndMtuOfABridgeStay) {
  auto request = bridge_request{};
  request.name = "br0";
  request.mac = mac("0e:ff:ff:ff:ff:ff");
  request.mtu_bytes = 1400;
  auto bridge = host().add_bridge(request).value();
  auto there = make_namespace("a");
  make_veth("v0", there, "eth0", bridge);
  EXPECT_EQ(look(host(), "br0").mac, request.mac);
  EXPECT_EQ(look(host(), "br0").mtu_bytes, 1400U);
}

TEST_P(KernelContract, OtherwiseABridgeFollowsItsPorts) {
  auto request = bridge_request{};
  request.name = "br0";
  auto bridge = host().add_bridge(request).value();
  auto there = make_namespace("a");
  auto port = make_veth("v0", there);
  auto change = link_change{};
  change.mac = mac("02:00:00:00:00:03");
  change.mtu_bytes = 1300;
  change.master = bridge;
  ASSERT_TRUE(works(host().set_link(port, change)));
  EXPECT_EQ(look(host(), "br0").mac, mac("02:00:00:00:00:03"));
  EXPECT_EQ(look(host(), "br0").mtu_bytes, 1300U);
  ASSERT_TRUE(works(host().set_link(port, with_master(0))));
  EXPECT_TRUE(look(host(), "br0").mac.is_zero());
  EXPECT_EQ(look(host(), "br0").mtu_bytes, 1500U);
}

TEST_P(KernelContract, ABridgeTakes1023Ports) {
  auto bridge = make_bridge("br0");
  auto there = make_namespace("a");
  auto request = netns::veth_request{};
  request.master = bridge;
  request.group = 9;
  request.peer_namespace = there.ref;
  for (int i = 0; i < 1023; ++i) {
    request.name = "v" + std::to_string(i);
    request.peer_name = "p" + std::to_string(i);
    ASSERT_TRUE(works(host().add_veth(request)));
  }
  request.name = "full";
  request.peer_name = "pfull";
  EXPECT_TRUE(fails_with(EXFULL, host().add_veth(request)));
  EXPECT_TRUE(fails_with(ENODEV, host().link_index("full")));
  EXPECT_TRUE(fails_with(ENODEV, there.kernel->link_index("pfull")));
  EXPECT_TRUE(works(host().del_link(host().link_index("v500").value())));
  EXPECT_TRUE(works(host().add_veth(request)));
  EXPECT_TRUE(works(host().del_group(9)));
}

} // namespace troupe::test
