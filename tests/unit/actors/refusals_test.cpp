#include "live_system.hpp"

namespace troupe::test {

namespace {

/// A network with an endpoint joined to a sandbox.
struct refusals : live_system {
  refusals() {
    make_network("web");
    make_sandbox("box");
    make_endpoint("web", "ep1");
    EXPECT_EQ(outcome(join_endpoint{"web", "ep1", "box"}), "ok");
    before = fingerprint(*machine.world, true);
  }

  /// Refused requests leave nothing.
  ~refusals() override {
    EXPECT_EQ(fingerprint(*machine.world, true), before);
    EXPECT_EQ(disk->content.networks.size(), 1U);
    EXPECT_EQ(disk->content.endpoints.size(), 1U);
    EXPECT_EQ(disk->content.sandboxes.size(), 1U);
    EXPECT_EQ(disk->content.joins.size(), 1U);
  }

  std::string before;
};

TEST_F(refusals, NetworkWithEndpoints) { // LN-05, BT-05
  EXPECT_EQ(outcome(remove_network{"web"}),
            "forbidden: remove network \"web\": it has 1 endpoints: ep1");
}

TEST_F(refusals, JoinedEndpoint) { // LN-11, AP-17
  EXPECT_EQ(outcome(remove_endpoint{"web", "ep1", false}),
            "forbidden: remove endpoint \"web/ep1\": it is joined to sandbox "
            "\"box\"");
}

TEST_F(refusals, SecondJoin) { // LN-13
  EXPECT_EQ(outcome(join_endpoint{"web", "ep1", "box"}),
            "forbidden: join endpoint \"web/ep1\": it is joined to sandbox "
            "\"box\"");
}

TEST_F(refusals, TakenNames) { // LN-07, LN-22, AP-11
  auto network = network_spec{};
  network.name = "web";
  EXPECT_EQ(outcome(create_network{network}).substr(0, 9), "conflict:");
  auto endpoint = endpoint_spec{};
  endpoint.name = "ep1";
  EXPECT_EQ(outcome(create_endpoint{"web", endpoint}),
            "conflict: create endpoint \"ep1\": network \"web\" has an "
            "endpoint of this name");
  auto sandbox = sandbox_spec{};
  sandbox.name = "box";
  EXPECT_EQ(outcome(create_sandbox{sandbox}).substr(0, 9), "conflict:");
}

TEST_F(refusals, EmptyReferences) { // LN-08, LN-10, LN-14
  for (const auto& what :
       {request{inspect_network{}}, request{remove_network{}},
        request{inspect_sandbox{}}, request{remove_sandbox{}},
        request{create_endpoint{}}, request{attach_sandbox{}},
        request{join_endpoint{"web", "ep1", ""}},
        request{detach_sandbox{"", "box"}}})
    EXPECT_EQ(outcome(what).substr(0, 17), "invalid_argument:") << what.index();
}

TEST_F(refusals, UnknownReferences) { // LN-10, AP-10, AP-13
  for (const auto& what :
       {request{inspect_network{"nope"}}, request{remove_network{"nope"}},
        request{inspect_endpoint{"web", "nope"}},
        request{inspect_endpoint{"", "nope"}},
        request{remove_endpoint{"nope", "ep1", true}},
        request{leave_endpoint{"web", "nope"}},
        request{inspect_sandbox{"nope"}}, request{remove_sandbox{"nope"}},
        request{join_endpoint{"web", "ep1", "nope"}},
        request{attach_sandbox{"nope", "box", {}}},
        request{attach_sandbox{"web", "nope", {}}},
        request{detach_sandbox{"web", "nope"}},
        request{list_endpoints{"nope"}}})
    EXPECT_EQ(outcome(what).substr(0, 10), "not_found:") << what.index();
}

TEST_F(refusals, TakenSubnetsAndAddresses) {
  auto network = network_spec{};
  network.name = "other";
  auto web = call<network_status>(inspect_network{"web"}).value();
  auto same = ipam_pool{};
  same.subnet = web.spec.pools[0].subnet;
  network.pools = {same};
  auto refused = outcome(create_network{network});
  EXPECT_EQ(refused.substr(0, 9), "conflict:") << refused;
  EXPECT_NE(refused.find("conflicts with network web"), std::string::npos)
    << refused;

  auto endpoint = endpoint_spec{};
  endpoint.name = "ep2";
  endpoint.ipv4 = web.spec.pools[0].gateway;
  EXPECT_EQ(outcome(create_endpoint{"web", endpoint}).substr(0, 9),
            "conflict:");
}

struct simple_refusals : live_system {};

TEST_F(simple_refusals, LeaveWhenNotJoined) { // LN-16, AP-16
  make_network("web");
  make_endpoint("web", "ep1");
  EXPECT_EQ(outcome(leave_endpoint{"web", "ep1"}),
            "forbidden: leave endpoint \"web/ep1\": it is not joined to a "
            "sandbox");
}

TEST_F(simple_refusals, SecondAttachOfASandbox) { // BT-04
  make_network("web");
  make_sandbox("box");
  attach("web", "box");
  EXPECT_EQ(
    outcome(attach_sandbox{"web", "box", {}}),
    "conflict: create endpoint \"box\": network \"web\" has an endpoint "
    "of this name");
  // Under another name it may join: a second interface on the same network.
  auto second = endpoint_spec{};
  second.name = "second";
  auto joined
    = call<endpoint_status>(attach_sandbox{"web", "box", second}).value();
  EXPECT_EQ(joined.interface, "eth1");
}

TEST_F(simple_refusals, ForceLeavesFirst) {
  make_network("web");
  make_sandbox("box");
  make_endpoint("web", "ep1");
  ASSERT_EQ(outcome(join_endpoint{"web", "ep1", "box"}), "ok");
  EXPECT_EQ(outcome(remove_endpoint{"web", "ep1", true}), "ok");
  EXPECT_TRUE(disk->content.endpoints.empty());
  EXPECT_TRUE(disk->content.joins.empty());
  EXPECT_EQ(outcome(inspect_endpoint{"web", "ep1"}).substr(0, 10),
            "not_found:");
}

TEST_F(simple_refusals, ABadNamespacePath) { // LN-20
  const auto before = machine.print();
  auto spec = sandbox_spec{};
  spec.name = "box";
  spec.netns_path = "/proc/1/nope";
  EXPECT_EQ(outcome(create_sandbox{spec}).substr(0, 10), "not_found:");
  machine.world->make_plain_file("/etc/hosts");
  spec.netns_path = "/etc/hosts";
  EXPECT_EQ(outcome(create_sandbox{spec}).substr(0, 17), "invalid_argument:");
  EXPECT_EQ(machine.print(), before);
  EXPECT_EQ(call<sandbox_list>(list_sandboxes{}).value().sandboxes.size(), 0U);
}

TEST_F(simple_refusals, References) { // LN-44
  auto first = make_network("first");
  const auto id = first.spec.id.value;
  EXPECT_EQ(call<network_status>(inspect_network{id}).value().spec.name,
            "first");
  EXPECT_EQ(
    call<network_status>(inspect_network{id.substr(0, 12)}).value().spec.name,
    "first");
  // A name is stronger than a prefix, a full id stronger than a name.
  make_network(id.substr(0, 3));
  EXPECT_EQ(
    call<network_status>(inspect_network{id.substr(0, 3)}).value().spec.name,
    id.substr(0, 3));
  make_network(id);
  EXPECT_EQ(call<network_status>(inspect_network{id}).value().spec.name,
            "first");
}

TEST_F(simple_refusals, AmbiguousReferences) {
  make_network("a");
  make_network("b");
  const auto first = make_endpoint("a", "same").spec.id.brief();
  const auto second = make_endpoint("b", "same").spec.id.brief();
  EXPECT_EQ(outcome(inspect_endpoint{"", "same"}),
            "invalid_argument: find endpoint \"same\": more than one has this "
            "name: a/same ("
              + first + "), b/same (" + second + ")");
  EXPECT_EQ(outcome(inspect_endpoint{"a", "same"}), "ok");
  // More ids than first digits: some digit is ambiguous.
  for (auto i = 0; i < 17; ++i)
    make_endpoint("a", "ep" + std::to_string(i));
  auto ambiguous = 0;
  for (auto digit : std::string{"0123456789abcdef"})
    if (outcome(inspect_endpoint{"a", std::string{digit}})
          .find("more than one id starts like this")
        != std::string::npos)
      ++ambiguous;
  EXPECT_GT(ambiguous, 0);
}

/// Endpoints whose ids are the test's choice.
struct references : live_system {
  references() {
    make_network("a");
    make_network("b");
    backend.reset();
    add("a", "one", "c1");
    add("a", "two", "c2");
    add("a", "three", "c3");
    add("b", "four", "c4");
    add("b", "five", "d5");
    add("b", "c2", "e6"); // Called like another's prefix.
    start();
  }

  void add(const std::string& network, const std::string& name,
           const std::string& digits) {
    auto x = endpoint_spec{};
    x.id.value = digits + std::string(64 - digits.size(), '0');
    for (const auto& y : disk->content.networks)
      if (y.name == network)
        x.network = y.id;
    x.name = name;
    disk->content.endpoints.push_back(x);
  }

  /// The name of what the reference means; else why not.
  std::string meant(const std::string& network, const std::string& reference) {
    auto found = call<endpoint_status>(inspect_endpoint{network, reference});
    return found ? found->network_name + "/" + found->spec.name
                 : std::string{to_string(found.error().code)};
  }
};

TEST_F(references, APrefixIsAmbiguousIfItIsSoInAnyNetwork) {
  EXPECT_EQ(meant("", "c"), "invalid_argument");
  EXPECT_EQ(meant("a", "c"), "invalid_argument");
  EXPECT_EQ(meant("b", "c"), "b/four");
  EXPECT_EQ(meant("", "c4"), "b/four");
  EXPECT_EQ(meant("", "d"), "b/five");
}

TEST_F(references, ANameWinsOverAForeignPrefix) {
  EXPECT_EQ(meant("", "c2"), "b/c2");
  EXPECT_EQ(meant("a", "c2"), "a/two");
  EXPECT_EQ(meant("", "c20"), "a/two");
}

TEST_F(references, NothingIsRemovedByAnAmbiguousReference) {
  for (const auto& what :
       {request{remove_endpoint{"", "c", true}},
        request{leave_endpoint{"", "c"}}, request{publish_ports{"", "c", {}}},
        request{join_endpoint{"", "c", "x"}}})
    EXPECT_NE(outcome(what), "ok");
  const auto said = outcome(remove_endpoint{"", "c", true});
  for (auto name : {"a/one (c1", "a/two (c2", "a/three (c3", "b/four (c4"})
    EXPECT_NE(said.find(name), std::string::npos) << said;
  EXPECT_EQ(disk->content.endpoints.size(), 6U);
}

/// What a new network would find taken on this host, whatever else it would
/// have switched on.
struct taken_places : live_system {
  taken_places() {
    auto& host = *machine.kernel;
    for (auto key :
         {netns::sysctl::ipv4_forwarding, netns::sysctl::ipv6_forwarding})
      EXPECT_TRUE(host.set_sysctl(key, "all", 0));
    const auto card = machine.world->add_hardware("up0");
    EXPECT_TRUE(host.add_address(card, cidr("192.168.7.5/24")));
    EXPECT_TRUE(host.set_sysctl(netns::sysctl::ipv6_accept_ra, "up0", 1));
    before = fingerprint(*machine.world, true);
  }

  std::string create(const std::string& name, const std::string& subnet = {}) {
    auto spec = network_spec{};
    spec.name = "new";
    spec.driver = "bridge";
    spec.enable_ipv6 = true;
    if (!subnet.empty()) {
      spec.pools.emplace_back();
      spec.pools.back().subnet = net(subnet);
    }
    if (!name.empty())
      spec.options["name"] = name;
    return outcome(create_network{spec});
  }

  void expect_refused(const std::string& what, const std::string& why) {
    EXPECT_NE(what.find(why), std::string::npos) << what;
    EXPECT_EQ(fingerprint(*machine.world, true), before);
    EXPECT_TRUE(disk->content.networks.empty());
  }

  std::string before;
};

TEST_F(taken_places, SubnetOfTheHost) {
  expect_refused(create("", "192.168.7.0/24"), "is also that of up0");
}

TEST_F(taken_places, AnInterfaceThatIsNoBridge) {
  expect_refused(create("up0"), "existing interface up0 is not a bridge");
}

TEST_F(taken_places, ABridgeOfAnotherDaemon) {
  const auto index = machine.foreign_bridge("br7");
  auto change = netns::link_change{};
  change.alias = instance::of("/run/another").alias(id_of('b'));
  ASSERT_TRUE(machine.kernel->set_link(index, change));
  before = fingerprint(*machine.world, true);
  expect_refused(create("br7"), "belongs to another troupe daemon");
}

TEST_F(taken_places, ABridgeWhoseAliasHasNoRoom) {
  const auto index = machine.foreign_bridge("br7");
  auto change = netns::link_change{};
  change.alias = std::string(250, 'x');
  ASSERT_TRUE(machine.kernel->set_link(index, change));
  before = fingerprint(*machine.world, true);
  expect_refused(create("br7"), "its alias has no room for our mark");
}

} // namespace

} // namespace troupe::test
