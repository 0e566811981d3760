#include "troupe/drivers/bridge/names.hpp"

#include "bridge_fixture.hpp"

namespace troupe::test {

namespace {

using addresses = std::vector<interface_address>;

TEST_F(BridgeEndpoint, HasBothEndsAsWanted) {
  ASSERT_TRUE(create());
  auto outside = machine.link("", "trp000000000001");
  EXPECT_EQ(outside.info.kind, "veth");
  EXPECT_TRUE(outside.info.up);
  EXPECT_EQ(outside.info.mtu_bytes, 1500U);
  EXPECT_EQ(outside.info.master,
            machine.link("", "br-aaaaaaaaaaaa").info.index);
  EXPECT_EQ(outside.info.group, owner.link_group());
  EXPECT_EQ(outside.info.alias, owner.alias(plan.endpoint.id.value));
  EXPECT_EQ(outside.peer, "box/eth0");
  auto inside = machine.link("box", "eth0");
  EXPECT_TRUE(inside.info.up);
  EXPECT_EQ(inside.info.mtu_bytes, 1500U);
  EXPECT_EQ(to_string(inside.info.mac), "02:42:0a:01:00:02"); // NU-04
  EXPECT_EQ(inside.addresses, addresses{cidr("10.1.0.2/16")});
}

TEST_F(BridgeEndpoint, TakesTheMtuOnBothEnds) { // BR-02
  network.options["mtu"] = "9000";
  make_network();
  ASSERT_TRUE(create());
  EXPECT_EQ(machine.link("", "trp000000000001").info.mtu_bytes, 9000U);
  EXPECT_EQ(machine.link("box", "eth0").info.mtu_bytes, 9000U);
}

TEST_F(BridgeEndpoint, TakesTheMacOfTheRecord) { // BR-14
  plan.endpoint.mac = mac_address::parse("aa:bb:cc:dd:ee:ff").value();
  ASSERT_TRUE(create());
  EXPECT_EQ(to_string(machine.link("box", "eth0").info.mac),
            "aa:bb:cc:dd:ee:ff");
}

TEST_F(BridgeEndpoint, GivesTheDefaultRouteWhenAskedTo) {
  plan.where.default_route_v4 = false;
  ASSERT_TRUE(create());
  EXPECT_TRUE(routes().empty());
  plan.where.default_route_v4 = true;
  ASSERT_TRUE(create());
  ASSERT_EQ(routes().size(), 1U);
  EXPECT_EQ(routes()[0].gateway, ip("10.1.0.1"));
  EXPECT_FALSE(routes()[0].destination);
}

TEST_F(BridgeEndpoint, GivesNoRouteOnAnInternalNetwork) { // BR-50
  network.internal = true;
  make_network();
  ASSERT_TRUE(create());
  EXPECT_TRUE(routes().empty());
}

TEST_F(BridgeEndpoint, GivesTheGatewayReservedForContainers) {
  network.pools[0].aux_addresses["DefaultGatewayIPv4"] = ip("10.1.0.77");
  make_network();
  ASSERT_TRUE(create());
  ASSERT_EQ(routes().size(), 1U);
  EXPECT_EQ(routes()[0].gateway, ip("10.1.0.77"));
}

TEST_F(BridgeEndpoint, TakesTheDefaultRouteOver) {
  ASSERT_TRUE(create());
  auto second = network_v4('b');
  second.pools = {pool("10.2.0.0/16", "10.2.0.1")};
  ASSERT_TRUE(driver->create_network(*machine.kernel, second));
  auto other = plan_for(second, plan.where.ns, 2);
  other.where.interface = "eth1";
  ASSERT_TRUE(driver->create_endpoint(*machine.kernel, other));
  ASSERT_EQ(routes().size(), 1U);
  EXPECT_EQ(routes()[0].gateway, ip("10.2.0.1"));
}

TEST_F(BridgeEndpoint, HasIpv6OnlyWhereTheNetworkHas) {
  using netns::sysctl;
  ASSERT_TRUE(create());
  EXPECT_EQ(machine.link("box", "eth0").sysctls.at(sysctl::ipv6_disable), 1);
  EXPECT_EQ(machine.link("box", "lo").sysctls.at(sysctl::ipv6_disable), 1);
  remove();
  network = network_dual();
  make_network();
  ASSERT_TRUE(create());
  auto inside = machine.link("box", "eth0");
  EXPECT_EQ(inside.sysctls.at(sysctl::ipv6_disable), 0);
  EXPECT_EQ(inside.sysctls.at(sysctl::ipv6_accept_ra), 0);
  EXPECT_EQ(machine.link("box", "lo").sysctls.at(sysctl::ipv6_disable), 0);
  EXPECT_EQ(inside.addresses,
            (addresses{cidr("10.1.0.2/16"), cidr("fd00:1::2/64")}));
  EXPECT_EQ(routes().size(), 2U);
}

TEST_F(BridgeEndpoint, LeavesLoopbackIpv6OnWhileAnotherUsesIt) {
  network = network_dual();
  make_network();
  ASSERT_TRUE(create());
  auto second = network_dual('b');
  second.pools
    = {pool("10.2.0.0/16", "10.2.0.1"), pool("fd00:2::/64", "fd00:2::1")};
  ASSERT_TRUE(driver->create_network(*machine.kernel, second));
  auto other = plan_for(second, plan.where.ns, 2);
  other.where.interface = "eth1";
  ASSERT_TRUE(driver->create_endpoint(*machine.kernel, other));
  auto off = [this] {
    return machine.link("box", "lo").sysctls.at(netns::sysctl::ipv6_disable);
  };
  remove();
  EXPECT_EQ(off(), 0);
  ASSERT_TRUE(driver->remove_endpoints(*machine.kernel, {&other, 1}));
  EXPECT_EQ(off(), 1);
}

TEST_F(BridgeEndpoint, LeavesLoopbackOfAForeignNamespaceAlone) {
  network = network_dual();
  make_network();
  machine.world->make_external_namespace("/proc/77/ns/net");
  plan.where.ns
    = machine.kernel->adopt_namespace("pod", "/proc/77/ns/net").value();
  auto before = machine.print();
  ASSERT_TRUE(create());
  remove();
  EXPECT_EQ(machine.print(), before);
}

TEST_F(BridgeEndpoint, IsAnIsolatedPortWithoutIcc) {
  network.options["icc"] = "false";
  make_network();
  ASSERT_TRUE(create());
  auto port = machine.link("", "trp000000000001").info.port;
  ASSERT_TRUE(port);
  EXPECT_TRUE(port->isolated);
}

// The bridge may be the user's, which learns from frames that no rule sees.
TEST_F(BridgeEndpoint, LearnsNothingOnABridgeThatTheUserNamed) {
  network.options["name"] = "br0";
  machine.foreign_bridge("br0");
  make_network();
  ASSERT_TRUE(create());
  auto end = machine.link("", "trp000000000001");
  ASSERT_TRUE(end.info.port);
  EXPECT_FALSE(end.info.port->learning);
  EXPECT_EQ(end.bound, std::vector{drivers::endpoint_mac(plan.endpoint)});
  EXPECT_TRUE(complaints().empty());
  // It comes back with its port.
  auto change = netns::link_change{};
  change.master = 0;
  ASSERT_TRUE(machine.world->change_link("", "trp000000000001", change));
  ASSERT_TRUE(create());
  end = machine.link("", "trp000000000001");
  EXPECT_FALSE(end.info.port->learning);
  EXPECT_EQ(end.bound, std::vector{drivers::endpoint_mac(plan.endpoint)});
}

TEST_F(BridgeEndpoint, LearnsWhereItMaySendAsAnybody) {
  network.options["name"] = "br0";
  network.options["spoof_guard"] = "false";
  machine.foreign_bridge("br0");
  make_network();
  ASSERT_TRUE(create());
  auto end = machine.link("", "trp000000000001");
  EXPECT_TRUE(end.info.port->learning);
  EXPECT_TRUE(end.bound.empty());
}

TEST_F(BridgeEndpoint, ChangesNoPortFlagsByDefault) {
  ASSERT_TRUE(create());
  auto port = machine.link("", "trp000000000001").info.port;
  ASSERT_TRUE(port);
  EXPECT_TRUE(*port == netns::port_flags{});
}

TEST_F(BridgeEndpoint, IsRefusedInTheHostsNamespace) {
  plan.where.ns = {};
  auto done = create();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ec::forbidden);
}

TEST_F(BridgeEndpoint, TellsThatTheBridgeIsGone) {
  ASSERT_TRUE(machine.world->delete_link("", "br-aaaaaaaaaaaa"));
  auto before = machine.print();
  auto done = create();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ec::not_found);
  EXPECT_NE(done.error().hint, "");
  EXPECT_EQ(machine.print(), before);
}

TEST_F(BridgeEndpoint, TellsThatTheNamespaceIsGone) {
  ASSERT_TRUE(machine.kernel->remove_namespace("box"));
  auto before = machine.print();
  auto done = create();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ec::not_found);
  EXPECT_EQ(machine.print(), before);
}

TEST_F(BridgeEndpoint, DoesNotTouchAForeignInterfaceOfItsName) {
  auto request = netns::veth_request{};
  request.name = "other0";
  request.peer_name = "eth0";
  request.peer_mac = mac_address{{2, 7, 7, 7, 7, 7}};
  request.peer_namespace = plan.where.ns;
  ASSERT_TRUE(machine.kernel->add_veth(request));
  auto before = machine.print();
  auto done = create();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ec::conflict);
  EXPECT_NE(done.error().message.find("eth0"), std::string::npos);
  EXPECT_EQ(machine.print(), before);
}

TEST_F(BridgeEndpoint, DoesNotTouchAForeignHostEndOfItsName) {
  machine.world->add_hardware("trp000000000001");
  auto before = machine.print();
  auto done = create();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ec::conflict);
  remove();
  EXPECT_EQ(machine.print(), before);
}

TEST_F(BridgeEndpoint, IsTheLastOneABridgeHasRoomFor) {
  for (auto n = 2U; n <= 1024; ++n) {
    auto x = plan_for(network, plan.where.ns, n);
    x.where.interface = fmt::format("eth{}", n);
    x.where.default_route_v4 = false;
    ASSERT_TRUE(driver->create_endpoint(*machine.kernel, x)) << n;
  }
  auto before = machine.print();
  auto done = create();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ec::unavailable);
  EXPECT_NE(done.error().message.find("1023 ports"), std::string::npos)
    << done.error().message;
  EXPECT_EQ(machine.print(), before);
}

} // namespace

} // namespace troupe::test
