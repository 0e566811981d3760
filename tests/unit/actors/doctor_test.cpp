#include "troupe/actors/doctor.hpp"
#include "troupe/actors/pins.hpp"
#include "troupe/tests/unit/drivers/fixture.hpp"

namespace troupe::test {

namespace {

constexpr uint64_t inode = 4'026'532'001;

/// A network, a sandbox and an endpoint joined to it, the same in all views.
struct healthy_world : testing::Test {
  healthy_world() {
    network = network_dual('a');
    auto driver = drivers::make("bridge", owner);
    bridge = driver->network_interface(network);

    endpoint.id.value = id_of('e');
    endpoint.network = network.id;
    endpoint.name = "c1";
    endpoint.addresses = {cidr("10.1.0.2/16"), cidr("fd00:1::2/64")};
    endpoint.mac = mac_address::parse("02:42:0a:01:00:02").value();
    host_end = driver->host_interface(endpoint);

    sandbox.id.value = id_of('5');
    sandbox.name = "box";
    sandbox.netns_inode = inode;

    views.store = {{network},
                   {endpoint},
                   {sandbox},
                   {{endpoint.id, network.id, sandbox.id, "eth0", {}}}};
    views.networks = {{network, bridge, {endpoint.id}, "ready"}};
    auto status = endpoint_status{};
    status.spec = endpoint;
    status.network_name = network.name;
    status.sandbox = sandbox.id;
    views.endpoints = {status};
    views.sandboxes.resize(1);
    views.sandboxes[0].spec = sandbox;
    fill_kernel();
  }

  void fill_kernel() {
    auto link = netns::audit_link{};
    link.name = bridge;
    link.up = true;
    link.group = owner.link_group();
    link.addresses = {cidr("10.1.0.1/16"), cidr("fd00:1::1/64")};
    views.kernel.links = {link};
    link.name = host_end;
    link.master = bridge;
    link.addresses.clear();
    views.kernel.links.push_back(link);
    auto inside = netns::audit_link{};
    inside.name = "eth0";
    inside.up = true;
    inside.mac = *endpoint.mac;
    inside.addresses = endpoint.addresses;
    auto pin = netns::audit_pin{};
    pin.name = pin_name(sandbox.id);
    pin.inode = inode;
    pin.links = {inside};
    pin.gateway = ip("10.1.0.1");
    pin.gateway_v6 = ip("fd00:1::1");
    views.kernel.pins = {pin};
  }

  /// The one finding there must be: `object: problem -> repair`.
  std::string finding() {
    auto found = diagnose(views, owner).findings;
    auto text = std::string{};
    for (const auto& x : found) {
      EXPECT_FALSE(x.repaired);
      text += (text.empty() ? "" : "\n") + x.object + ": " + x.problem + " -> "
              + x.repair;
    }
    return text;
  }

  netns::audit_link& bridge_link() {
    return views.kernel.links[0];
  }
  netns::audit_link& host_link() {
    return views.kernel.links[1];
  }
  netns::audit_pin& pin() {
    return views.kernel.pins[0];
  }

  network_spec network;
  endpoint_spec endpoint;
  sandbox_spec sandbox;
  std::string bridge;
  std::string host_end;
  doctor_views views;
  const std::string network_title
    = "network net-a (" + std::string(12, 'a') + "): ";
  const std::string endpoint_title
    = "endpoint net-a/c1 (" + std::string(12, 'e') + "): ";
  const std::string sandbox_title
    = "sandbox box (" + std::string(12, '5') + "): ";
};

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
  EXPECT_EQ(finding(),
            network_title + "bridge " + bridge + " is down -> set it up");
}

TEST_F(healthy_world, ABridgeOfOursThatSomebodyChanged) {
  using link = netns::audit_link;
  bridge_link().arp = false;
  EXPECT_NE(finding().find("ARP is off"), std::string::npos);
  bridge_link().arp = true;
  for (auto flag : {&link::stp, &link::vlan_filtering}) {
    bridge_link().*flag = true;
    EXPECT_NE(finding(), "");
    bridge_link().group = 0; // A user's bridge is the user's.
    EXPECT_EQ(finding(), "");
    bridge_link().group = owner.link_group();
    bridge_link().*flag = false;
  }
  bridge_link().master = "vrf0";
  EXPECT_NE(finding().find("is part of vrf0"), std::string::npos);
}

TEST_F(healthy_world, APortThatSomebodyClosed) {
  using link = netns::audit_link;
  for (auto flag : {&link::arp, &link::floods, &link::blocked, &link::locked}) {
    host_link().*flag = !(host_link().*flag);
    EXPECT_TRUE(finding().starts_with(endpoint_title)) << finding();
    host_link().*flag = !(host_link().*flag);
  }
  EXPECT_EQ(finding(), "");
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

TEST_F(healthy_world, BridgeLacksItsAddress) {
  bridge_link().addresses.pop_back();
  EXPECT_EQ(finding(), network_title + "bridge " + bridge
                         + " lacks address fd00:1::1 -> add it");
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

// -- firewall -----------------------------------------------------------------

/// What nft prints of a table with the elements that the records want, but
/// those of the guard.
struct printed_rules : healthy_world {
  printed_rules() {
    network.options["spoof_guard"] = "false";
    views.store.networks = {network};
    views.networks[0].spec = network;
    views.store.joins[0].bindings = {{protocol::tcp, 80, ip("0.0.0.0"), 8080}};
    const auto b = "\"" + bridge + "\"";
    const auto pair = R"({"concat":[)" + b + "," + b + "]}";
    const auto in_nat = R"({"goto":{"target":"in_nat"}})";
    elements
      = {{"map", "within", "[" + pair + R"(,{"accept":null}])"},
         {"set", "hairpin", pair},
         {"set", "networks", b},
         {"map", "enter",
          R"([{"concat":["ipv4",)" + b + "]}," + in_nat
            + R"(],[{"concat":["ipv6",)" + b + "]}," + in_nat + "]"},
         {"set", "masquerade_from",
          R"({"concat":["ipv4",)" + b + R"(]},{"concat":["ipv6",)" + b + "]}"},
         {"set", "self4", R"({"concat":["10.1.0.2","10.1.0.2"]})"},
         {"map", "publish4_any",
          R"([{"concat":["tcp",8080]},{"concat":["10.1.0.2",80]}])"},
         {"set", "unguarded", "\"" + host_end + "\""}};
  }

  struct set {
    std::string kind, name, elements;
  };

  void print() {
    auto text = std::string{R"({"nftables":[{"metainfo":{"version":"1"}})"};
    for (const auto& x : elements)
      text += ",{\"" + x.kind + R"(":{"name":")" + x.name + R"(","elem":[)"
              + x.elements + "]}}";
    views.kernel.rules = {text + "]}"};
  }

  std::vector<set> elements;
};

TEST_F(printed_rules, AreWhatTheRecordsWant) {
  print();
  EXPECT_EQ(finding(), "");
}

TEST_F(printed_rules, LackAPort) {
  elements[6].elements.clear();
  print();
  EXPECT_EQ(finding(), "firewall: publish4_any tcp . 8080 : 10.1.0.2 . 80 is "
                       "missing -> load the rules anew");
}

TEST_F(printed_rules, HaveAnElementMore) {
  elements[2].elements += R"(,"docker0")";
  print();
  EXPECT_EQ(finding(), "firewall: networks docker0 belongs to nobody -> load "
                       "the rules anew");
}

TEST_F(printed_rules, AreAllGone) {
  views.kernel.rules.emplace();
  EXPECT_NE(finding().find("firewall: within " + bridge), std::string::npos);
}

TEST_F(printed_rules, AreNoJson) {
  print();
  views.kernel.rules->push_back("Error: no");
  EXPECT_EQ(finding(), "firewall: nft prints something else than its tables -> "
                       "load the rules anew");
}

// -- endpoint against kernel --------------------------------------------------

TEST_F(healthy_world, HostEndIsMissing) {
  views.kernel.links.pop_back();
  EXPECT_EQ(finding(), endpoint_title + "link " + host_end
                         + " is missing -> create it again");
}

TEST_F(healthy_world, HostEndIsOffItsBridge) {
  host_link().master = "docker0";
  EXPECT_EQ(finding(), endpoint_title + "link " + host_end
                         + " is not on bridge " + bridge + " -> put it there");
}

TEST_F(healthy_world, HostEndIsDownAndOutOfTheGroup) {
  host_link().up = false;
  EXPECT_EQ(finding(),
            endpoint_title + "link " + host_end + " is down -> set it up");
  host_link().up = true;
  host_link().group = 0;
  EXPECT_EQ(finding(), endpoint_title + "link " + host_end
                         + " is not in our interface group -> put it there");
}

TEST_F(healthy_world, InterfaceIsMissing) {
  pin().links.clear();
  EXPECT_EQ(finding(),
            endpoint_title + "interface eth0 is missing -> create it again");
}

TEST_F(healthy_world, InterfaceIsDown) {
  pin().links[0].up = false;
  EXPECT_EQ(finding(), endpoint_title + "interface eth0 is down -> set it up");
}

TEST_F(healthy_world, InterfaceHasAnotherMac) {
  pin().links[0].mac = mac_address::parse("02:00:00:00:00:01").value();
  EXPECT_EQ(finding(), endpoint_title
                         + "interface eth0 has MAC 02:00:00:00:00:01, not "
                           "02:42:0a:01:00:02 -> set it");
}

TEST_F(healthy_world, InterfaceLacksAnAddress) {
  pin().links[0].addresses = {cidr("fd00:1::2/64")};
  EXPECT_EQ(finding(), endpoint_title
                         + "interface eth0 lacks address 10.1.0.2/16 -> add "
                           "it");
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
