#include "troupe/netns/faulty/kernel.hpp"
#include "troupe/netns/link_local.hpp"

#include "fixture.hpp"
#include <cerrno>

namespace troupe::test {

namespace {

/// The bridge driver's networks on a simulated host.
class BridgeNetwork : public ::testing::Test {
protected:
  host machine;
  std::unique_ptr<drivers::driver> driver = drivers::make("bridge", owner);
  network_spec network = network_v4();

  result<void> create() {
    return driver->create_network(*machine.kernel, network);
  }

  result<void> remove() {
    return driver->remove_network(*machine.kernel, network);
  }

  std::vector<std::string> complaints() {
    return driver->inspect_network(*machine.kernel, network).value();
  }

  netns::simulated_link bridge() {
    return machine.link("", driver->network_interface(network));
  }

  void disturb(const netns::link_change& change) {
    auto name = driver->network_interface(network);
    ASSERT_TRUE(machine.world->change_link("", name, change));
  }
};

using addresses = std::vector<interface_address>;

TEST_F(BridgeNetwork, HasNameMacMtuGroupAliasAndGateway) {
  ASSERT_TRUE(create());
  auto link = bridge();
  EXPECT_EQ(link.info.name, "br-aaaaaaaaaaaa");
  EXPECT_EQ(link.info.kind, "bridge");
  EXPECT_EQ(to_string(link.info.mac), "06:aa:aa:aa:aa:aa");
  EXPECT_EQ(link.info.mtu_bytes, 1500U);
  EXPECT_EQ(link.info.group, owner.link_group());
  EXPECT_EQ(link.info.alias, owner.alias(network.id.value));
  EXPECT_TRUE(link.info.up);
  EXPECT_FALSE(link.info.learns_link_local);
  EXPECT_EQ(link.addresses, addresses{cidr("10.1.0.1/16")});
}

TEST_F(BridgeNetwork, GetsRoutesAndForwardingBack) {
  network = network_dual();
  const auto key = netns::sysctl::ipv4_forwarding;
  ASSERT_TRUE(machine.world->write_sysctl("", key, "all", 1));
  ASSERT_TRUE(machine.world->write_sysctl("", key, "default", 0));
  ASSERT_TRUE(create());
  EXPECT_EQ(bridge().sysctls.at(key), 1) << "not what `default` says";
  const auto wanted = machine.print();
  const auto name = driver->network_interface(network);
  for (const auto* lost :
       {"10.1.0.0/16", "10.1.0.1/32", "fd00:1::/64", "fd00:1::1/128"}) {
    ASSERT_TRUE(machine.world->drop_route("", name, net(lost)));
    EXPECT_EQ(complaints(), std::vector<std::string>{name + ": route to " + lost
                                                     + " is missing"});
    ASSERT_TRUE(create());
    EXPECT_EQ(machine.print(), wanted);
  }
  ASSERT_TRUE(machine.world->write_sysctl("", key, name, 0));
  EXPECT_EQ(complaints(),
            std::vector<std::string>{name + ": IPv4 forwarding is off"});
  ASSERT_TRUE(create());
  EXPECT_EQ(machine.print(), wanted);
  // What the host does as a whole is not the bridge's business.
  ASSERT_TRUE(machine.world->write_sysctl("", key, "all", 0));
  EXPECT_TRUE(complaints().empty());
}

TEST_F(BridgeNetwork, SpeaksNoSpanningTreeAndKnowsNoVlans) {
  ASSERT_TRUE(create());
  const auto wanted = machine.print();
  auto changes = std::vector<netns::link_change>(3);
  changes[0].stp = true;
  changes[1].vlan_filtering = true;
  changes[2].arp = false;
  for (const auto& change : changes) {
    disturb(change);
    EXPECT_EQ(complaints().size(), 1U);
    ASSERT_TRUE(create());
    EXPECT_EQ(machine.print(), wanted);
    EXPECT_TRUE(complaints().empty());
  }
}

TEST_F(BridgeNetwork, IsQuietWithoutIpv6) {
  ASSERT_TRUE(create());
  EXPECT_EQ(bridge().sysctls.at(netns::sysctl::ipv6_disable), 1);
  EXPECT_EQ(bridge().sysctls.at(netns::sysctl::ipv6_accept_ra), 0);
}

TEST_F(BridgeNetwork, HasBothGatewaysWithIpv6) {
  network = network_dual();
  ASSERT_TRUE(create());
  EXPECT_EQ(bridge().addresses,
            (addresses{cidr("10.1.0.1/16"), cidr("fd00:1::1/64")}));
  EXPECT_EQ(bridge().sysctls.at(netns::sysctl::ipv6_disable), 0);
  EXPECT_EQ(bridge().sysctls.at(netns::sysctl::ipv6_accept_ra), 0);
  EXPECT_EQ(bridge().sysctls.at(netns::sysctl::ipv6_accept_redirects), 0);
}

TEST_F(BridgeNetwork, MayHaveIpv6Alone) { // BR-34
  network.enable_ipv4 = false;
  network.enable_ipv6 = true;
  network.pools = {pool("fd00:1::/64", "fd00:1::1")};
  ASSERT_TRUE(create());
  EXPECT_EQ(bridge().addresses, addresses{cidr("fd00:1::1/64")});
}

TEST_F(BridgeNetwork, KeepsItsGatewayWhenInternal) { // BR-50
  network.internal = true;
  ASSERT_TRUE(create());
  EXPECT_EQ(bridge().addresses, addresses{cidr("10.1.0.1/16")});
}

TEST_F(BridgeNetwork, HasNoAddressWhenIsolated) { // BR-29
  network = network_dual();
  network.internal = true;
  network.options
    = {{"gateway_mode_ipv4", "isolated"}, {"gateway_mode_ipv6", "isolated"}};
  ASSERT_TRUE(create());
  EXPECT_EQ(bridge().addresses, addresses{});
  EXPECT_EQ(bridge().sysctls.at(netns::sysctl::ipv6_disable), 1);
}

TEST_F(BridgeNetwork, HasNoIpv4GatewayWhenInhibited) {
  network = network_dual();
  network.options["inhibit_ipv4"] = "true";
  ASSERT_TRUE(create());
  EXPECT_EQ(bridge().addresses, addresses{cidr("fd00:1::1/64")});
}

TEST_F(BridgeNetwork, IsMadeUnderTheNameTheUserGives) {
  network.options = {{"name", "br7"}, {"mtu", "9000"}};
  ASSERT_TRUE(create());
  EXPECT_EQ(bridge().info.name, "br7");
  EXPECT_EQ(bridge().info.mtu_bytes, 9000U);
  ASSERT_TRUE(remove());
  EXPECT_FALSE(machine.has_link("", "br7"));
}

TEST_F(BridgeNetwork, RefusesAnInterfaceThatIsNoBridge) { // BR-07
  machine.world->add_hardware("eth7");
  network.options["name"] = "eth7";
  auto before = machine.print();
  auto done = create();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().message, "existing interface eth7 is not a bridge");
  EXPECT_EQ(done.error().code, ec::conflict);
  ASSERT_TRUE(remove());
  EXPECT_EQ(machine.print(), before);
}

TEST_F(BridgeNetwork, RefusesAGeneratedNameThatIsSomebodyElses) {
  machine.foreign_bridge("br-aaaaaaaaaaaa");
  auto before = machine.print();
  auto done = create();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ec::conflict);
  ASSERT_TRUE(remove());
  EXPECT_EQ(machine.print(), before);
}

TEST_F(BridgeNetwork, RefusesTheBridgeOfAnotherNetwork) {
  network.options["name"] = "br7";
  ASSERT_TRUE(create());
  auto other = network_v4('b');
  other.options["name"] = "br7";
  auto before = machine.print();
  auto done = driver->create_network(*machine.kernel, other);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().message,
            "bridge br7: belongs to network aaaaaaaaaaaa");
  ASSERT_TRUE(driver->remove_network(*machine.kernel, other));
  EXPECT_EQ(machine.print(), before);
}

TEST_F(BridgeNetwork, RefusesTheBridgeOfAnotherDaemon) {
  network.options["name"] = "br7";
  auto other = drivers::make("bridge", instance::of("/run/other"));
  ASSERT_TRUE(other->create_network(*machine.kernel, network));
  auto done = create();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ec::conflict);
  EXPECT_TRUE(driver->list(*machine.kernel).value().empty());
}

TEST_F(BridgeNetwork, UsesAHostBridgeAndGivesItBack) {
  network = network_dual();
  network.options = {{"name", "br0"}, {"mtu", "1400"}};
  auto index = machine.foreign_bridge("br0");
  ASSERT_TRUE(machine.kernel->add_address(index, cidr("192.0.2.9/24")));
  auto before = machine.print();
  ASSERT_TRUE(create());
  auto link = bridge();
  EXPECT_EQ(link.info.mtu_bytes, 9000U);
  EXPECT_EQ(to_string(link.info.mac), "02:09:09:09:09:09");
  EXPECT_EQ(link.info.group, 0U);
  EXPECT_EQ(link.addresses,
            (addresses{cidr("192.0.2.9/24"), cidr("10.1.0.1/16"),
                       cidr("fd00:1::1/64")}));
  EXPECT_TRUE(complaints().empty());
  ASSERT_TRUE(remove());
  EXPECT_EQ(machine.print(), before);
}

// Its first address of the subnet is ours; the kernel would delete the others
// with it.
TEST_F(BridgeNetwork, LeavesTheUsersOtherAddressesOfItsSubnet) {
  network.options["name"] = "br0";
  auto index = machine.foreign_bridge("br0");
  ASSERT_TRUE(create());
  ASSERT_TRUE(machine.kernel->add_address(index, cidr("10.1.0.5/16")));
  ASSERT_TRUE(machine.kernel->add_address(index, cidr("10.1.0.6/16")));
  ASSERT_TRUE(remove());
  EXPECT_EQ(machine.link("", "br0").addresses,
            (addresses{cidr("10.1.0.5/16"), cidr("10.1.0.6/16")}));
}

TEST_F(BridgeNetwork, LeavesAGatewayAddressThatWasThere) {
  network.options["name"] = "br0";
  auto index = machine.foreign_bridge("br0");
  ASSERT_TRUE(machine.kernel->add_address(index, cidr("10.1.0.1/24"))); // BR-32
  auto before = machine.print();
  ASSERT_TRUE(create());
  EXPECT_EQ(bridge().addresses, addresses{cidr("10.1.0.1/24")});
  EXPECT_TRUE(complaints().empty());
  ASSERT_TRUE(remove());
  EXPECT_EQ(machine.print(), before);
}

// The user's bridge was there when the network was made, and is no more.
TEST_F(BridgeNetwork, MakesAUsersBridgeAnewAndLeavesIt) {
  network = network_dual();
  network.options["name"] = "br0";
  driver->adopt_interface(network);
  ASSERT_TRUE(create());
  ASSERT_TRUE(create()); // Again: it is known.
  auto link = bridge();
  EXPECT_TRUE(link.info.up);
  EXPECT_EQ(link.info.group, 0U);
  EXPECT_NE(link.info.alias.find("+rebuilt"), std::string::npos);
  EXPECT_EQ(link.addresses,
            (addresses{cidr("10.1.0.1/16"), cidr("fd00:1::1/64")}));
  EXPECT_TRUE(complaints().empty());
  // What others add is theirs.
  ASSERT_TRUE(
    machine.kernel->add_address(link.info.index, cidr("192.0.2.9/24")));
  ASSERT_TRUE(remove());
  EXPECT_EQ(bridge().addresses, addresses{cidr("192.0.2.9/24")});
  EXPECT_EQ(bridge().info.alias, "");
}

// Whichever call fails, or is the last one of a run.
TEST_F(BridgeNetwork, MakesAUsersBridgeAnewInSpiteOfFaults) {
  network = network_dual();
  network.options["name"] = "br0";
  driver->adopt_interface(network);
  using effect = netns::fault_rule::effect;
  for (auto what : {effect::fail, effect::lose_reply, effect::crash_before,
                    effect::crash_after})
    for (auto n = 0U; n < 100; ++n) {
      SCOPED_TRACE(std::to_string(n));
      machine = host{};
      const auto before = machine.print();
      auto plan = std::make_shared<netns::fault_plan>();
      plan->add({what, {}, n, false, EBUSY, {}});
      auto faulty = netns::open_faulty_kernel(
        netns::open_simulated_kernel(machine.world), plan);
      auto done = driver->create_network(*faulty, network);
      if (plan->faults() == 0)
        break;
      if (!done && (what == effect::fail || what == effect::lose_reply)) {
        EXPECT_EQ(machine.print(), before) << text(done);
      }
      ASSERT_TRUE(create());
      EXPECT_TRUE(complaints().empty());
      EXPECT_NE(bridge().info.alias.find("+rebuilt"), std::string::npos);
    }
}

TEST_F(BridgeNetwork, RaisesAHostBridgeAndLowersItAgain) {
  network = network_dual();
  network.options["name"] = "br0";
  machine.foreign_bridge("br0");
  auto change = netns::link_change{};
  change.up = false;
  change.alias = "the uplink of rack 7";
  disturb(change);
  ASSERT_TRUE(
    machine.kernel->set_sysctl(netns::sysctl::ipv6_disable, "br0", 1));
  auto before = machine.print();
  ASSERT_TRUE(create());
  EXPECT_TRUE(bridge().info.up);
  EXPECT_TRUE(bridge().info.alias.starts_with("the uplink of rack 7 troupe:"));
  ASSERT_TRUE(create());
  EXPECT_TRUE(complaints().empty());
  ASSERT_TRUE(remove());
  EXPECT_EQ(machine.print(), before);
}

TEST_F(BridgeNetwork, LeavesAHostBridgeUpThatOthersUseByNow) {
  network.options["name"] = "br0";
  auto index = machine.foreign_bridge("br0");
  auto change = netns::link_change{};
  change.up = false;
  disturb(change);
  ASSERT_TRUE(create());
  auto port = netns::link_change{};
  port.master = index;
  machine.world->add_hardware("eth7");
  ASSERT_TRUE(machine.world->change_link("", "eth7", port));
  ASSERT_TRUE(remove());
  EXPECT_TRUE(bridge().info.up);
}

TEST_F(BridgeNetwork, RefusesAHostBridgeWithoutRoomForTheMark) {
  network.options["name"] = "br0";
  machine.foreign_bridge("br0");
  auto change = netns::link_change{};
  change.alias = std::string(200, 'x');
  disturb(change);
  auto before = machine.print();
  auto done = create();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ec::forbidden);
  EXPECT_EQ(machine.print(), before);
}

TEST_F(BridgeNetwork, IsMendedAfterAnyChange) {
  network = network_dual();
  ASSERT_TRUE(create());
  auto wanted = machine.print();
  auto changes = std::vector<netns::link_change>(7);
  changes[0].up = false;
  changes[1].mtu_bytes = 1400;
  changes[2].mac = mac_address{{2, 1, 1, 1, 1, 1}};
  changes[3].group = 7;
  changes[4].alias = "";
  changes[5].name = "stolen";
  changes[6].learns_link_local = true;
  for (const auto& change : changes) {
    disturb(change);
    EXPECT_EQ(complaints().empty(), false);
    ASSERT_TRUE(create());
    EXPECT_EQ(machine.print(), wanted);
    EXPECT_TRUE(complaints().empty());
  }
  ASSERT_TRUE(machine.world->flush_addresses("", bridge().info.name));
  EXPECT_EQ(complaints().size(), 3U); // With the link-local one.
  ASSERT_TRUE(create());
  EXPECT_EQ(machine.print(), wanted);
}

// Without it the kernel asks for no neighbour of what it forwards.
TEST_F(BridgeNetwork, GetsItsLinkLocalAddressBack) {
  network = network_dual();
  ASSERT_TRUE(create());
  const auto wanted = machine.print();
  const auto name = driver->network_interface(network);
  const auto index = bridge().info.index;
  const auto own = netns::link_local_of(bridge().info.mac);
  EXPECT_NE(wanted.find(to_string(own.address) + "/128"), std::string::npos);
  ASSERT_TRUE(machine.kernel->del_address(index, own));
  EXPECT_EQ(complaints(),
            std::vector<std::string>{name + ": address " + to_string(own)
                                     + " is missing"});
  ASSERT_TRUE(create());
  EXPECT_EQ(machine.print(), wanted);
  EXPECT_TRUE(complaints().empty());
  for (const auto& lost : {prefix{own.address, 128}, own.subnet()}) {
    ASSERT_TRUE(machine.world->drop_route("", name, lost));
    EXPECT_EQ(complaints().size(), 1U);
    ASSERT_TRUE(create());
    EXPECT_EQ(machine.print(), wanted);
  }
}

TEST_F(BridgeNetwork, LeavesNoLinkLocalAddressOfAnotherMac) {
  network = network_dual();
  ASSERT_TRUE(create());
  auto box = machine.sandbox("box");
  auto plan = plan_for(network, box);
  ASSERT_TRUE(driver->create_endpoint(*machine.kernel, plan));
  const auto wanted = machine.print();
  // The kernel makes it anew when the link comes up.
  auto changes = std::vector<netns::link_change>(3);
  changes[0].up = false;
  changes[1].mac = mac_address{{2, 1, 1, 1, 1, 1}};
  changes[2].up = true;
  for (const auto& change : changes)
    disturb(change);
  ASSERT_TRUE(create());
  EXPECT_EQ(machine.print(), wanted);
  for (const auto& change : changes)
    ASSERT_TRUE(machine.world->change_link("box", "eth0", change));
  ASSERT_TRUE(driver->create_endpoint(*machine.kernel, plan));
  EXPECT_EQ(machine.print(), wanted);
}

TEST_F(BridgeNetwork, WithoutIpv6HasNoLinkLocalAddress) {
  ASSERT_TRUE(create());
  auto plan = plan_for(network, machine.sandbox("box"));
  ASSERT_TRUE(driver->create_endpoint(*machine.kernel, plan));
  EXPECT_EQ(machine.print().find("fe80"), std::string::npos);
}

TEST_F(BridgeNetwork, AUsersBridgeNeedsAnyLinkLocalAddress) {
  network = network_dual();
  network.options["name"] = "br7";
  const auto index = machine.foreign_bridge("br7");
  ASSERT_TRUE(create());
  const auto own = netns::link_local_of(bridge().info.mac);
  ASSERT_TRUE(machine.kernel->del_address(index, own));
  EXPECT_EQ(complaints(), std::vector<std::string>{
                            "br7: an IPv6 link-local address is missing"});
  ASSERT_TRUE(create());
  EXPECT_TRUE(complaints().empty());
  ASSERT_TRUE(machine.kernel->del_address(index, own));
  ASSERT_TRUE(machine.kernel->add_address(index, cidr("fe80::1/64")));
  EXPECT_TRUE(complaints().empty());
}

// RFC 8200: below 1280 bytes the kernel has no IPv6 on a link.
TEST_F(BridgeNetwork, RefusesAHostBridgeTooSmallForIpv6) {
  network = network_dual();
  network.options["name"] = "br0";
  machine.foreign_bridge("br0");
  auto small = netns::link_change{};
  small.mtu_bytes = 1000;
  disturb(small);
  auto before = machine.print();
  auto done = create();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ec::forbidden);
  EXPECT_EQ(done.error().hint, "ip link set br0 mtu 1280");
  EXPECT_EQ(machine.print(), before);
}

// One repair that cannot be done is no reason to leave the others.
TEST_F(BridgeNetwork, IsMendedAsFarAsItCanBe) {
  network = network_dual();
  network.options["name"] = "br0";
  const auto index = machine.foreign_bridge("br0");
  ASSERT_TRUE(create());
  auto small = netns::link_change{};
  small.mtu_bytes = 1000;
  disturb(small);
  ASSERT_TRUE(machine.kernel->del_address(index, cidr("10.1.0.1/16")));
  auto done = create();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().hint, "ip link set br0 mtu 1280");
  EXPECT_EQ(machine.link("", "br0").addresses, addresses{cidr("10.1.0.1/16")});
  auto large = netns::link_change{};
  large.mtu_bytes = 1500;
  disturb(large);
  EXPECT_TRUE(create());
  EXPECT_TRUE(complaints().empty());
}

TEST_F(BridgeNetwork, ABridgeOfOursIsMendedAsFarAsItCanBe) {
  network = network_dual();
  ASSERT_TRUE(create());
  const auto wanted = machine.print();
  const auto index = bridge().info.index;
  for (auto gone : {"10.1.0.1/16", "fd00:1::1/64"})
    ASSERT_TRUE(machine.kernel->del_address(index, cidr(gone)));
  auto plan = std::make_shared<netns::fault_plan>();
  auto rule = netns::fault_rule{};
  rule.on = netns::call::add_address;
  plan->add(rule);
  auto faulty = netns::open_faulty_kernel(
    netns::open_simulated_kernel(machine.world), plan);
  EXPECT_FALSE(driver->create_network(*faulty, network));
  EXPECT_EQ(complaints().size(), 1U);
  EXPECT_TRUE(create());
  EXPECT_EQ(machine.print(), wanted);
}

TEST_F(BridgeNetwork, IsMendedUnderAnotherNameWhereTheHostForwards) {
  ASSERT_TRUE(
    machine.kernel->set_sysctl(netns::sysctl::ipv4_forwarding, "all", 1));
  ASSERT_TRUE(create());
  const auto wanted = machine.print();
  auto change = netns::link_change{};
  change.name = "stolen";
  disturb(change);
  EXPECT_EQ(complaints(),
            std::vector<std::string>{"br-aaaaaaaaaaaa: name is stolen, not "
                                     "br-aaaaaaaaaaaa"});
  ASSERT_TRUE(create());
  EXPECT_EQ(machine.print(), wanted);
}

TEST_F(BridgeNetwork, IsRemovedUnderAnyName) {
  auto before = machine.print();
  ASSERT_TRUE(create());
  auto change = netns::link_change{};
  change.name = "stolen";
  disturb(change);
  ASSERT_TRUE(remove());
  EXPECT_EQ(machine.print(), before);
}

TEST_F(BridgeNetwork, TellsThatItIsMissing) {
  EXPECT_EQ(complaints(),
            std::vector<std::string>{"br-aaaaaaaaaaaa: is missing"});
}

TEST_F(BridgeNetwork, DoesNotFollowARenamedHostBridge) {
  network.options["name"] = "br0";
  machine.foreign_bridge("br0");
  auto before = machine.print();
  ASSERT_TRUE(create());
  auto change = netns::link_change{};
  change.name = "br1";
  disturb(change);
  EXPECT_EQ(create().error().code, ec::conflict);
  EXPECT_EQ(complaints().front(), "br0: name is br1, not br0");
  // Its addresses are ours all the same, wherever it went.
  ASSERT_TRUE(remove());
  change.name = "br0";
  ASSERT_TRUE(machine.world->change_link("", "br1", change));
  EXPECT_EQ(machine.print(), before);
}

} // namespace

} // namespace troupe::test
