#include "troupe/netns/link_local.hpp"

#include "bridge_fixture.hpp"

// What a third party changed is put right by creating again, and only that.

namespace troupe::test {

namespace {

class BridgeMend : public BridgeEndpoint {
protected:
  const std::string outside = "trp000000000001";
  std::string wanted;

  void SetUp() override {
    network = network_dual();
    network.options["icc"] = "false";
    make_network();
    ASSERT_TRUE(create());
    wanted = machine.print();
  }

  void disturb(const std::string& ns, const std::string& link,
               const netns::link_change& change) {
    ASSERT_TRUE(machine.world->change_link(ns, link, change));
  }

  void expect_mended() {
    EXPECT_FALSE(complaints().empty());
    auto done = create();
    EXPECT_TRUE(done) << text(done);
    EXPECT_EQ(machine.print(), wanted);
    EXPECT_EQ(complaints(), std::vector<std::string>{});
  }
};

std::vector<netns::link_change> damages() {
  auto result = std::vector<netns::link_change>(4);
  result[0].up = false;
  result[1].mtu_bytes = 1280;
  result[2].name = "stolen";
  result[3].mtu_bytes = 9000;
  result[3].up = false;
  result[3].name = "stolen";
  return result;
}

TEST_F(BridgeMend, RestoresTheHostEnd) {
  auto changes = damages();
  changes.resize(changes.size() + 3);
  changes[4].master = 0;
  changes[5].group = 7;
  changes[6].alias = "hello";
  for (const auto& change : changes) {
    disturb("", outside, change);
    expect_mended();
  }
}

TEST_F(BridgeMend, OpensAPortThatWasClosed) {
  auto deaf = netns::link_change{};
  deaf.arp = false;
  disturb("", outside, deaf);
  expect_mended();
  disturb("box", "eth0", deaf);
  expect_mended();
  ASSERT_TRUE(machine.world->block_port("", outside));
  expect_mended();
  const auto index = machine.kernel->link_index(outside).value();
  for (auto flag :
       {&netns::port_flags::flood, &netns::port_flags::broadcast_flood,
        &netns::port_flags::multicast_flood, &netns::port_flags::locked,
        &netns::port_flags::learning}) {
    auto flags = *machine.kernel->link(index)->port;
    flags.*flag = !(flags.*flag);
    ASSERT_TRUE(machine.kernel->set_port_flags(index, flags));
    expect_mended();
  }
}

TEST_F(BridgeMend, RestoresThePeer) {
  auto changes = damages();
  changes.resize(changes.size() + 1);
  changes[4].mac = mac_address{{2, 1, 1, 1, 1, 1}};
  for (const auto& change : changes) {
    disturb("box", "eth0", change);
    expect_mended();
  }
}

// They rename only links that are down, which costs those their routes.
TEST_F(BridgeMend, RestoresNamesOnKernelsBeforeLinux62) {
  struct place {
    std::string ns;
    std::string link;
  };
  for (const auto& [ns, link] : {place{"", outside}, place{"box", "eth0"}}) {
    SCOPED_TRACE(link);
    auto change = netns::link_change{};
    change.name = "stolen";
    disturb(ns, link, change);
    machine.world->set_release(6, 1);
    expect_mended();
    machine.world->set_release(6, 18);
  }
}

TEST_F(BridgeMend, RestoresBothEndsAtOnce) {
  for (const auto& change : damages()) {
    if (change.name)
      continue;
    disturb("", outside, change);
    disturb("box", "eth0", change);
    expect_mended();
  }
}

TEST_F(BridgeMend, RestoresAddresses) {
  ASSERT_TRUE(machine.world->flush_addresses("box", "eth0"));
  expect_mended();
}

TEST_F(BridgeMend, RestoresAnAddressWithAnotherLength) {
  auto inside = machine.kernel->enter(plan.where.ns).value();
  auto index = inside->link_index("eth0").value();
  ASSERT_TRUE(inside->del_address(index, cidr("fd00:1::2/64")));
  ASSERT_TRUE(inside->add_address(index, cidr("fd00:1::2/48")));
  expect_mended();
}

TEST_F(BridgeMend, RestoresRoutes) {
  ASSERT_TRUE(machine.world->flush_routes("box"));
  expect_mended();
}

TEST_F(BridgeMend, RestoresPortFlags) {
  auto index = machine.kernel->link_index(outside).value();
  ASSERT_TRUE(machine.kernel->set_port_flags(index, {}));
  expect_mended();
}

TEST_F(BridgeMend, RestoresADeletedPair) {
  ASSERT_TRUE(machine.world->delete_link("box", "eth0"));
  EXPECT_EQ(complaints(), std::vector<std::string>{outside + ": is missing"});
  ASSERT_TRUE(create());
  EXPECT_EQ(complaints(), std::vector<std::string>{});
}

TEST_F(BridgeMend, FindsAPairThatWasRenamedAtBothEnds) {
  const auto before = machine.print();
  auto change = netns::link_change{};
  change.name = "stolen0";
  ASSERT_TRUE(machine.world->change_link("", outside, change));
  change.name = "stolen1";
  ASSERT_TRUE(machine.world->change_link("box", "eth0", change));
  ASSERT_TRUE(create());
  EXPECT_EQ(machine.print(), before);
}

TEST_F(BridgeMend, LeavesWhatOthersAdded) {
  auto inside = machine.kernel->enter(plan.where.ns).value();
  auto index = inside->link_index("eth0").value();
  ASSERT_TRUE(inside->add_address(index, cidr("192.0.2.7/24")));
  auto before = machine.print();
  EXPECT_TRUE(complaints().empty());
  ASSERT_TRUE(create());
  EXPECT_EQ(machine.print(), before);
}

TEST_F(BridgeMend, CompletesAPairThatACrashLeftBare) {
  remove();
  auto request = netns::veth_request{};
  request.name = outside;
  request.master = machine.kernel->link_index("br-aaaaaaaaaaaa").value();
  request.mtu_bytes = 1500;
  request.group = owner.link_group();
  request.peer_name = "eth0";
  request.peer_mac = mac_address::from_ipv4(ip("10.1.0.2"));
  request.peer_namespace = plan.where.ns;
  ASSERT_TRUE(machine.kernel->add_veth(request));
  EXPECT_FALSE(complaints().empty());
  ASSERT_TRUE(create());
  EXPECT_EQ(complaints(), std::vector<std::string>{});
}

TEST_F(BridgeMend, BuildsThePairAgainWhenItsNamespaceWasReplaced) {
  machine.world->defer_teardown(true);
  ASSERT_TRUE(machine.world->replace_pin("box"));
  plan.where.ns = machine.kernel->namespaces().value().front().second;
  EXPECT_EQ(complaints(),
            std::vector<std::string>{"eth0: is missing in the sandbox"});
  auto done = create();
  ASSERT_TRUE(done) << text(done);
  EXPECT_EQ(complaints(), std::vector<std::string>{});
  EXPECT_EQ(driver->list(*machine.kernel).value().size(), 2U);
}

TEST_F(BridgeMend, TellsEachDifference) {
  auto change = netns::link_change{};
  change.mtu_bytes = 1400;
  disturb("", outside, change);
  change.mac = mac_address{{2, 1, 1, 1, 1, 1}};
  disturb("box", "eth0", change);
  EXPECT_EQ(
    complaints(),
    (std::vector<std::string>{
      outside + ": mtu is 1400, not 1500", "eth0: mtu is 1400, not 1500",
      "eth0: mac is 02:01:01:01:01:01, not 02:42:0a:01:00:02"}));
}

TEST_F(BridgeMend, TellsThatTheNamespaceIsGone) {
  machine.world->defer_teardown(true);
  ASSERT_TRUE(machine.kernel->remove_namespace("box"));
  EXPECT_EQ(complaints(),
            std::vector<std::string>{"eth0: its namespace is gone"});
}

TEST_F(BridgeMend, RestoresTheLinkLocalAddress) {
  auto inside = machine.kernel->enter(plan.where.ns).value();
  const auto eth0 = machine.link("box", "eth0").info;
  const auto own = netns::link_local_of(eth0.mac);
  ASSERT_TRUE(inside->del_address(eth0.index, own));
  EXPECT_EQ(complaints(), std::vector<std::string>{
                            "eth0: address " + to_string(own) + " is missing"});
  expect_mended();
}

// Somebody said for good who has an address: nothing else would end that.
TEST_F(BridgeMend, ForgetsNeighboursThatLeadElsewhere) {
  const auto wrong = mac_address{{2, 0, 0, 0, 0, 0x99}};
  const auto bridge = machine.link("", "br-aaaaaaaaaaaa").info;
  const auto eth0 = machine.link("box", "eth0").info;
  auto inside = machine.kernel->enter(plan.where.ns).value();
  for (const auto& x : plan.endpoint.addresses) {
    ASSERT_TRUE(
      machine.kernel->set_neighbour({bridge.index, x.address, wrong}));
    EXPECT_EQ(complaints(),
              std::vector<std::string>{
                outside + ": neighbour entry " + to_string(x.address) + " is "
                + to_string(wrong) + ", not " + to_string(eth0.mac)});
    expect_mended();
  }
  for (auto gateway : {ip("10.1.0.1"), ip("fd00:1::1")}) {
    ASSERT_TRUE(inside->set_neighbour({eth0.index, gateway, wrong}));
    expect_mended();
  }
}

TEST_F(BridgeMend, LeavesNeighboursThatAreRight) {
  const auto bridge = machine.link("", "br-aaaaaaaaaaaa").info;
  const auto eth0 = machine.link("box", "eth0").info;
  auto inside = machine.kernel->enter(plan.where.ns).value();
  for (const auto& x : plan.endpoint.addresses)
    ASSERT_TRUE(
      machine.kernel->set_neighbour({bridge.index, x.address, eth0.mac}));
  ASSERT_TRUE(inside->set_neighbour({eth0.index, ip("10.1.0.1"), bridge.mac}));
  ASSERT_TRUE(inside->set_neighbour({eth0.index, ip("10.1.0.9"), {}}));
  const auto before = machine.print();
  EXPECT_TRUE(complaints().empty());
  ASSERT_TRUE(create());
  EXPECT_EQ(machine.print(), before);
}

TEST_F(BridgeMend, LeavesTheNeighboursOfAUsersBridge) {
  remove();
  network.options["name"] = "br7";
  const auto index = machine.foreign_bridge("br7");
  make_network();
  ASSERT_TRUE(create());
  ASSERT_TRUE(machine.kernel->set_neighbour({index, ip("10.1.0.2"), {}}));
  EXPECT_TRUE(complaints().empty());
  ASSERT_TRUE(create());
  EXPECT_EQ(machine.kernel->neighbours(index)->size(), 1U);
}

} // namespace

} // namespace troupe::test
