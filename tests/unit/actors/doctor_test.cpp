#include "troupe/drivers/bridge/marks.hpp"
#include "troupe/tests/unit/actors/doctor_world.hpp"

namespace troupe::test {

namespace {

TEST_F(healthy_world, HasNoFindings) {
  EXPECT_EQ(finding(), "");
  EXPECT_TRUE(diagnose({}, owner).findings.empty());
}

// -- store against actors -----------------------------------------------------

TEST_F(healthy_world, RecordWithoutActor) {
  views.networks.clear();
  EXPECT_EQ(finding(), network_title
                         + "has a record but nobody works for it -> restart "
                           "the daemon");
}

TEST_F(healthy_world, ActorWithoutRecord) {
  auto extra = sandbox_status{};
  extra.spec = sandbox;
  extra.spec.id.value = id_of('6');
  extra.spec.name = "ghost";
  views.sandboxes.push_back(extra);
  EXPECT_EQ(finding(), "sandbox ghost (666666666666): is in work but has no "
                       "record -> restart the daemon");
}

TEST_F(healthy_world, JoinIsKnownToOneSideOnly) {
  views.endpoints[0].sandbox.reset();
  EXPECT_EQ(finding(), "endpoint net-a/c1: is recorded as joined but says it "
                       "is not -> restart the daemon");
  views.endpoints[0].sandbox = sandbox.id;
  views.store.joins.clear();
  views.has_kernel = false;
  EXPECT_EQ(finding(), "endpoint net-a/c1: says it is joined but no record "
                       "does -> restart the daemon");
}

TEST_F(healthy_world, AddressHeldTwice) {
  auto other = endpoint;
  other.id.value = id_of('f');
  other.name = "c2";
  other.addresses = {cidr("10.1.0.2/16")};
  views.store.endpoints.push_back(other);
  auto status = endpoint_status{};
  status.spec = other;
  views.endpoints.push_back(status);
  EXPECT_EQ(finding(), "endpoint c2: address 10.1.0.2/16 is also held by c1 -> "
                       "remove one of the two endpoints");
}

// -- network against kernel ---------------------------------------------------

TEST_F(healthy_world, BridgeIsMissing) {
  views.kernel.links.erase(views.kernel.links.begin());
  EXPECT_EQ(finding(), network_title + "bridge " + bridge
                         + " is missing -> create it again");
}

TEST_F(healthy_world, BridgeIsDown) {
  bridge_link().up = false;
  EXPECT_EQ(finding(), network_title + bridge + ": is down -> mend it");
}

// Everything that self-repair looks at is looked at here.
TEST_F(healthy_world, ABridgeOfOursThatSomebodyChanged) {
  const auto whole = bridge_link();
  auto expect_told = [&](auto change) {
    change(bridge_link());
    EXPECT_TRUE(finding().starts_with(network_title + bridge)) << finding();
    EXPECT_EQ(diagnose(views, owner).findings.size(), 1U) << finding();
    bridge_link() = whole;
  };
  using link = netns::audit_link&;
  expect_told([](link x) {
    x.arp = false;
  });
  expect_told([](link x) {
    x.stp = true;
  });
  expect_told([](link x) {
    x.vlan_filtering = true;
  });
  expect_told([](link x) {
    x.learns_link_local = true;
  });
  expect_told([](link x) {
    x.master = 9;
  });
  expect_told([](link x) {
    x.mtu_bytes = 1400;
  });
  expect_told([](link x) {
    x.mac.bytes[5] ^= 1;
  });
  expect_told([](link x) {
    x.alias = "mine";
  });
  // Whose it is is told by its alias as well.
  expect_told([](link x) {
    x.group = 7;
  });
  expect_told([](link x) {
    x.group = 7;
    x.alias.clear();
  });
  EXPECT_EQ(finding(), "");
}

TEST_F(healthy_world, ABridgeOfTheUsersIsTheUsers) {
  for (auto* spec : {&views.store.networks[0], &views.networks[0].spec})
    spec->options["name"] = "br7";
  bridge_link().name = "br7";
  host_link().bridge = "br7";
  host_link().port->learning = false; // Frames that no rule sees.
  bridge_link().group = 0;
  auto mark = drivers::bridge_mark{};
  mark.network = network.id.value;
  bridge_link().alias = drivers::to_alias(owner, mark);
  bridge_link().mtu_bytes = 9000;
  bridge_link().stp = true;
  bridge_link().mac.bytes[5] ^= 1;
  EXPECT_EQ(finding(), "");
  bridge_link().up = false;
  EXPECT_EQ(finding(), network_title + "br7: is down -> mend it");
}

TEST_F(healthy_world, BridgeLacksARouteOrItsLinkLocalAddress) {
  const auto whole = views.kernel.routes;
  for (size_t i = 0; i < whole.size(); ++i) {
    const auto& gone = whole[i];
    const auto is_own = gone.destination->address().is_link_local()
                        && gone.type == netns::route_type::local;
    views.kernel.routes.erase(views.kernel.routes.begin()
                              + static_cast<ptrdiff_t>(i));
    EXPECT_NE(finding().find(is_own ? "address fe80::" : "route to "),
              std::string::npos)
      << finding();
    EXPECT_EQ(diagnose(views, owner).findings.size(), 1U) << finding();
    views.kernel.routes = whole;
  }
}

TEST_F(healthy_world, APortThatSomebodyChanged) {
  const auto whole = host_link();
  auto expect_told = [&](auto change) {
    change(host_link());
    EXPECT_TRUE(finding().starts_with(endpoint_title + host_end)) << finding();
    EXPECT_EQ(diagnose(views, owner).findings.size(), 1U) << finding();
    host_link() = whole;
  };
  using link = netns::audit_link&;
  expect_told([](link x) {
    x.arp = false;
  });
  expect_told([](link x) {
    x.port_blocked = true;
  });
  expect_told([](link x) {
    x.mtu_bytes = 1400;
  });
  expect_told([](link x) {
    x.alias = "mine";
  });
  expect_told([](link x) {
    x.group = 0;
  });
  expect_told([](link x) {
    x.up = false;
  });
  expect_told([](link x) {
    x.bridge = "docker0";
  });
  for (auto flag :
       {&netns::port_flags::isolated, &netns::port_flags::hairpin,
        &netns::port_flags::learning, &netns::port_flags::flood,
        &netns::port_flags::broadcast_flood,
        &netns::port_flags::multicast_flood, &netns::port_flags::locked})
    expect_told([&](link x) {
      (*x.port).*flag = !((*x.port).*flag);
    });
  EXPECT_EQ(finding(), "");
}

TEST_F(healthy_world, NeighbourEntriesThatLeadElsewhere) {
  const auto wrong = mac_address::parse("02:00:00:00:00:99").value();
  const auto index = bridge_link().index;
  views.kernel.neighbours
    = {{index, ip("10.1.0.2"), *endpoint.mac}, {index, ip("10.1.0.77"), wrong}};
  pin().neighbours = {{2, ip("10.1.0.1"), bridge_link().mac}};
  EXPECT_EQ(finding(), "");
  views.kernel.neighbours[0].mac = wrong;
  EXPECT_EQ(finding(), endpoint_title + bridge
                         + ": neighbour entry 10.1.0.2 is 02:00:00:00:00:99, "
                           "not 02:42:0a:01:00:02 -> forget it");
  EXPECT_EQ(diagnose(views, owner).findings.front().command,
            "ip neigh del 10.1.0.2 dev " + bridge);
  views.kernel.neighbours.clear();
  pin().neighbours.push_back({2, ip("fd00:1::1"), wrong});
  EXPECT_NE(finding().find("eth0: neighbour entry fd00:1::1 is "),
            std::string::npos)
    << finding();
}

// Ours to mend, the host's by permission, others' never.
TEST_F(healthy_world, WhatIsNotOursHasACommandAndNoRepair) {
  using whose = netns::obstruction::owner;
  auto repairs = [&] {
    auto result = std::vector<bool>{};
    for (const auto& x : diagnose(views, owner).findings)
      result.push_back(!x.repair.empty());
    return result;
  };
  views.kernel.obstructions = {{whose::ours, "network", "a", ""},
                               {whose::setting, "host", "b", "sysctl"},
                               {whose::others, "host", "c", "ip rule del"}};
  EXPECT_EQ(repairs(), (std::vector{true, true, false}));
  views.ip_forward = false;
  EXPECT_EQ(repairs(), (std::vector{true, false, false}));
  EXPECT_EQ(diagnose(views, owner).findings.back().command, "ip rule del");
}

TEST_F(healthy_world, LeftoversAreNamedForTheirRemoval) {
  EXPECT_FALSE(diagnose(views, owner).has_leftovers());
  auto link = host_link();
  link.name = "trp9";
  views.kernel.links.push_back(link);
  auto stray = pin();
  stray.name = "999999999999";
  views.kernel.pins.push_back(stray);
  auto seen = diagnose(views, owner);
  EXPECT_EQ(seen.links, std::vector<std::string>{"trp9"});
  EXPECT_EQ(seen.pins, std::vector<std::string>{"999999999999"});
}

TEST_F(healthy_world, PromisesWaysToGatewaysAndPorts) {
  views.store.joins[0].bindings = {{protocol::tcp, 80, ip("0.0.0.0"), 8080}};
  auto promises = promises_of(views.store, owner);
  ASSERT_EQ(promises.size(), 1U);
  EXPECT_EQ(promises[0].bridge, bridge);
  EXPECT_TRUE(promises[0].leaves_ipv4);
  ASSERT_EQ(promises[0].members.size(), 1U);
  EXPECT_EQ(promises[0].members[0].published.size(), 1U);
  auto text = std::string{};
  for (const auto& x : ways_of(views.store, owner))
    text += x.what + "\n";
  EXPECT_NE(text.find("to its gateway 10.1.0.1"), std::string::npos) << text;
  EXPECT_NE(text.find("to its gateway fd00:1::1"), std::string::npos) << text;
  EXPECT_NE(text.find("from the host to it"), std::string::npos) << text;
  EXPECT_NE(text.find("published port 127.0.0.1, port 8080"), std::string::npos)
    << text;
}

// Through the host, from whoever has no other way to it.
TEST_F(healthy_world, PromisesPortsToOtherContainers) {
  auto asked = [&] {
    auto text = std::string{};
    for (const auto& x : ways_of(views.store, owner))
      if (x.what.starts_with("from endpoint"))
        text += to_string(x.way.to) + " " + std::to_string(x.way.port) + "\n";
    return text;
  };
  views.store.joins[0].bindings = {{protocol::tcp, 80, ip("0.0.0.0"), 8080},
                                   {protocol::tcp, 80, ip("192.0.2.1"), 8081},
                                   {protocol::tcp, 80, ip("127.0.0.1"), 8082},
                                   {protocol::udp, 53, ip("0.0.0.0"), 53}};
  EXPECT_EQ(asked(), ""); // There is nobody else.
  auto other = endpoint;
  other.id.value = id_of('f');
  other.addresses = {cidr("10.1.0.3/16"), cidr("fd00:1::3/64")};
  views.store.endpoints.push_back(other);
  auto box = sandbox_id{id_of('6')};
  views.store.joins.push_back({other.id, network.id, box, "eth0", {}});
  EXPECT_EQ(asked(), "10.1.0.1 8080\n192.0.2.1 8081\n");
  views.store.networks[0].options["icc"] = "false";
  EXPECT_EQ(asked(), "");
}

TEST_F(healthy_world, BridgeLacksItsAddress) {
  bridge_link().addresses.pop_back();
  EXPECT_EQ(finding(), network_title + bridge
                         + ": address fd00:1::1/64 is missing -> mend it");
}

TEST_F(healthy_world, BridgeIsNotToHaveItsAddress) {
  auto set = [this](const char* value) {
    for (auto* spec : {&views.store.networks[0], &views.networks[0].spec})
      spec->options["inhibit_ipv4"] = value;
  };
  std::erase_if(bridge_link().addresses, [](const auto& x) {
    return x.address.is_v4();
  });
  set("true");
  EXPECT_EQ(finding(), "");
  set("false");
  EXPECT_NE(finding(), "");
}

// -- endpoint against kernel --------------------------------------------------

TEST_F(healthy_world, HostEndIsMissing) {
  views.kernel.links.pop_back();
  EXPECT_EQ(finding(), endpoint_title + "link " + host_end
                         + " is missing -> create it again");
}

TEST_F(healthy_world, InterfaceIsMissing) {
  pin().links.clear();
  EXPECT_EQ(finding(),
            endpoint_title + "interface eth0 is missing -> create it again");
}

TEST_F(healthy_world, InterfaceIsDown) {
  pin().links[0].up = false;
  EXPECT_EQ(finding(), endpoint_title + "eth0: is down -> mend it");
}

TEST_F(healthy_world, AnInterfaceThatSomebodyChanged) {
  const auto whole = pin().links[0];
  auto& link = pin().links[0];
  link.mac = mac_address::parse("02:00:00:00:00:01").value();
  EXPECT_EQ(finding(), endpoint_title
                         + "eth0: mac is 02:00:00:00:00:01, not "
                           "02:42:0a:01:00:02 -> mend it");
  link = whole;
  link.mtu_bytes = 600;
  EXPECT_EQ(finding(),
            endpoint_title + "eth0: mtu is 600, not 1500 -> mend it");
  link = whole;
  link.arp = false;
  EXPECT_NE(finding().find("ARP is off"), std::string::npos);
}

TEST_F(healthy_world, InterfaceLacksAnAddress) {
  pin().links[0].addresses = {cidr("fd00:1::2/64")};
  EXPECT_EQ(finding(),
            endpoint_title + "eth0: address 10.1.0.2/16 is missing -> mend it");
}

TEST_F(healthy_world, JoinWithoutItsNetwork) {
  views.store.networks.clear();
  views.networks.clear();
  views.kernel.links.clear();
  EXPECT_EQ(finding(), "join of endpoint eeeeeeeeeeee: its endpoint or network "
                       "has no record -> restart the daemon");
}

// -- sandbox against kernel ---------------------------------------------------

TEST_F(healthy_world, NamespaceIsGone) {
  const auto expected = sandbox_title
                        + "its namespace is gone -> make a new one and join "
                          "its endpoints again";
  // The host end went with it.
  views.kernel.links.pop_back();
  pin().inode = 0;
  EXPECT_EQ(finding(), expected);
  views.kernel.pins.clear();
  EXPECT_EQ(finding(), expected);
}

TEST_F(healthy_world, PinLeadsElsewhere) {
  views.kernel.links.pop_back();
  pin().inode = 7;
  EXPECT_EQ(finding(), sandbox_title
                         + "its pin leads to namespace 7, not 4026532001 -> "
                           "make a new one and join its endpoints again");
}

TEST_F(healthy_world, RoutesAndRulesOfAnEndpoint) {
  const auto whole = pin();
  for (size_t i = 0; i < whole.routes.size(); ++i) {
    pin().routes.erase(pin().routes.begin() + static_cast<ptrdiff_t>(i));
    EXPECT_NE(finding().find("eth0: "), std::string::npos) << finding();
    EXPECT_EQ(diagnose(views, owner).findings.size(), 1U);
    pin() = whole;
  }
  for (size_t i = 0; i < whole.rules.size(); ++i) {
    pin().rules.erase(pin().rules.begin() + static_cast<ptrdiff_t>(i));
    EXPECT_NE(finding().find("eth0: rule "), std::string::npos);
    EXPECT_EQ(diagnose(views, owner).findings.size(), 1U);
    pin() = whole;
  }
}

TEST_F(healthy_world, SubnetOnAnotherInterfaceOfTheSandbox) {
  auto other = netns::audit_link{};
  other.name = "tun0";
  other.addresses = {cidr("10.1.7.7/24"), cidr("10.9.0.1/16")};
  pin().links.push_back(other);
  EXPECT_NE(finding().find("interface tun0 of the sandbox has 10.1.7.7/24"),
            std::string::npos);
  EXPECT_EQ(diagnose(views, owner).findings.size(), 1U);
}

TEST_F(healthy_world, DefaultRoutes) {
  pin().gateway = ip("10.1.0.99");
  EXPECT_EQ(finding(), sandbox_title
                         + "IPv4 default route goes to 10.1.0.99, not 10.1.0.1 "
                           "-> set it");
  pin().gateway = ip("10.1.0.1");
  pin().gateway_v6.reset();
  EXPECT_EQ(finding(), sandbox_title
                         + "IPv6 default route goes to none, not fd00:1::1 -> "
                           "set it");
}

TEST_F(healthy_world, ARouteThatIsNotOursIsTheContainersBusiness) {
  views.store.networks[0].internal = true;
  EXPECT_EQ(finding(), "");
}

TEST_F(healthy_world, HostSandboxesHaveNoPin) {
  auto host = sandbox_spec{};
  host.id.value = id_of('6');
  host.name = "host";
  host.use_host_namespace = true;
  views.store.sandboxes.push_back(host);
  auto status = sandbox_status{};
  status.spec = host;
  views.sandboxes.push_back(status);
  EXPECT_EQ(finding(), "");
}

// -- leftovers ----------------------------------------------------------------

TEST_F(healthy_world, LinksOfOursThatNobodyOwns) {
  auto link = netns::audit_link{};
  link.name = "trpdead";
  link.group = owner.link_group();
  views.kernel.links.push_back(link);
  EXPECT_EQ(finding(), "link trpdead: carries our tag but belongs to no record "
                       "-> remove it");
  views.kernel.links.back().group = owner.trash_group();
  EXPECT_EQ(finding(), "link trpdead: carries our tag but belongs to no record "
                       "-> remove it");
}

TEST_F(healthy_world, LinksOfOthersAreNotLookedAt) {
  auto link = netns::audit_link{};
  link.name = "docker0";
  views.kernel.links.push_back(link);
  link.name = "trp000000000000";
  link.group = instance::of("/run/other").link_group();
  views.kernel.links.push_back(link);
  EXPECT_EQ(finding(), "");
}

TEST_F(healthy_world, PinsThatNobodyOwns) {
  auto extra = netns::audit_pin{};
  extra.name = "0123456789ab";
  extra.inode = 7;
  views.kernel.pins.push_back(extra);
  EXPECT_EQ(finding(),
            "namespace 0123456789ab: belongs to no record -> remove it");
}

TEST_F(healthy_world, WithoutAKernelComparesTheRest) {
  views.kernel = {};
  views.has_kernel = false;
  EXPECT_EQ(finding(), "");
}

} // namespace

} // namespace troupe::test
