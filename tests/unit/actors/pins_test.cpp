#include "troupe/actors/services/pins.hpp"
#include "troupe/tests/unit/drivers/fixture.hpp"

namespace troupe::test {

namespace {

constexpr auto external_path = "/proc/4711/ns/net";

sandbox_spec recorded(char digit, uint64_t inode, std::string path = {}) {
  auto result = sandbox_spec{};
  result.id.value = id_of(digit);
  result.name = std::string{"box-"} + digit;
  result.netns_path = std::move(path);
  result.netns_inode = inode;
  return result;
}

std::map<std::string, uint64_t> pins(const host& machine) {
  return machine.world->view().pins;
}

TEST(Unpin, OneThatIsGoneIsFine) {
  auto machine = host{};
  machine.sandbox("aaa");
  EXPECT_TRUE(unpin(*machine.kernel, "aaa"));
  EXPECT_TRUE(unpin(*machine.kernel, "aaa"));
  EXPECT_TRUE(pins(machine).empty());
}

TEST(Adopt, ANamespaceBelongsToOneSandbox) {
  auto machine = host{};
  machine.world->make_external_namespace(external_path);
  ASSERT_TRUE(adopt(*machine.kernel, "aaa", external_path));
  const auto before = pins(machine);
  auto second = adopt(*machine.kernel, "bbb", external_path);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ec::conflict);
  EXPECT_NE(second.error().message.find("sandbox aaa has it already"),
            std::string::npos)
    << second.error().message;
  EXPECT_EQ(pins(machine), before);
  EXPECT_FALSE(adopt(*machine.kernel, "ccc", "/nowhere"));
  EXPECT_EQ(pins(machine), before);
}

TEST(ReconcilePins, LeavesWhatIsRight) {
  auto machine = host{};
  auto spec = recorded('a', 0);
  spec.netns_inode = machine.sandbox(pin_name(spec.id)).inode;
  const auto before = fingerprint(*machine.world, true);
  auto report = reconcile_pins(*machine.kernel, {{spec}, true}).value();
  ASSERT_EQ(report.states.size(), 1U);
  EXPECT_FALSE(report.states[0].remade);
  EXPECT_EQ(report.states[0].ns.inode, spec.netns_inode);
  EXPECT_EQ(report.leftovers, 0U);
  EXPECT_EQ(fingerprint(*machine.world, true), before);
}

TEST(ReconcilePins, MakesLostOnesAnew) {
  auto machine = host{};
  auto gone = recorded('a', 999);
  auto unmounted = recorded('b', machine.sandbox(std::string(12, 'b')).inode);
  auto replaced = recorded('c', machine.sandbox(std::string(12, 'c')).inode);
  ASSERT_TRUE(machine.world->unmount_pin(pin_name(unmounted.id)));
  ASSERT_TRUE(machine.world->replace_pin(pin_name(replaced.id)));
  auto report
    = reconcile_pins(*machine.kernel, {{gone, unmounted, replaced}, true})
        .value();
  ASSERT_EQ(report.states.size(), 3U);
  for (const auto& x : report.states) {
    EXPECT_TRUE(x.remade) << x.problem;
    EXPECT_EQ(x.ns.inode, pins(machine).at(pin_name(x.sandbox)));
  }
  EXPECT_NE(report.states[1].ns.inode, unmounted.netns_inode);
  EXPECT_NE(report.states[2].ns.inode, replaced.netns_inode);
  EXPECT_EQ(report.leftovers, 0U);
}

TEST(ReconcilePins, RemovesWhatNobodyWants) {
  auto machine = host{};
  machine.sandbox("0123456789ab");
  auto seen = reconcile_pins(*machine.kernel, {{}, false}).value();
  EXPECT_EQ(seen.leftovers, 1U);
  EXPECT_EQ(pins(machine).size(), 1U);
  auto removed = reconcile_pins(*machine.kernel, {{}, true}).value();
  EXPECT_EQ(removed.leftovers, 1U);
  EXPECT_TRUE(pins(machine).empty());
}

TEST(ReconcilePins, FindsLostOnesAgain) {
  auto machine = host{};
  // One that this process made, one that it saw pinned, one with a process.
  auto made = recorded(
    'a', machine.kernel->create_namespace(std::string(12, 'a'))->inode);
  auto other = netns::open_simulated_kernel(machine.world);
  auto seen
    = recorded('b', other->create_namespace(std::string(12, 'b'))->inode);
  auto external = machine.world->make_external_namespace(external_path);
  auto held = recorded('c', external.inode);
  ASSERT_TRUE(other->adopt_namespace(pin_name(held.id), external_path));
  auto wanted = reconcile_namespaces{{made, seen, held}, true};
  ASSERT_FALSE(reconcile_pins(*machine.kernel, wanted)->states[1].remade);
  other.reset();
  for (auto process : {"old", "new"}) {
    for (const auto& x : wanted.wanted)
      ASSERT_TRUE(machine.world->unmount_pin(pin_name(x.id)));
    auto report = reconcile_pins(*machine.kernel, wanted).value();
    for (const auto& x : report.states) {
      EXPECT_FALSE(x.remade) << process;
      EXPECT_TRUE(x.pinned_again) << process;
      EXPECT_EQ(x.ns.inode, pins(machine).at(pin_name(x.sandbox)));
    }
    EXPECT_EQ(pins(machine).size(), wanted.wanted.size());
    machine.kernel = netns::open_simulated_kernel(machine.world);
    wanted.wanted = {held};
    ASSERT_TRUE(reconcile_pins(*machine.kernel, wanted));
  }
}

TEST(ReconcilePins, AdoptsTheSameNamespaceAgain) {
  auto machine = host{};
  auto external = machine.world->make_external_namespace(external_path);
  auto spec = recorded('a', external.inode, external_path);
  auto report = reconcile_pins(*machine.kernel, {{spec}, true}).value();
  EXPECT_FALSE(report.states[0].remade);
  EXPECT_TRUE(report.states[0].pinned_again);
  EXPECT_EQ(pins(machine).at(pin_name(spec.id)), external.inode);
}

TEST(ReconcilePins, DoesNotAdoptAnother) {
  auto machine = host{};
  auto before = machine.world->make_external_namespace(external_path);
  machine.world->make_external_namespace(external_path);
  auto spec = recorded('a', before.inode, external_path);
  auto report = reconcile_pins(*machine.kernel, {{spec}, true}).value();
  EXPECT_FALSE(report.states[0].remade);
  EXPECT_NE(
    report.states[0].problem.find("it is another namespace than before"),
    std::string::npos)
    << report.states[0].problem;
  EXPECT_TRUE(pins(machine).empty());
}

TEST(ReconcilePins, SaysWhyOneIsLost) {
  auto machine = host{};
  auto spec = recorded('a', 7, external_path);
  auto report = reconcile_pins(*machine.kernel, {{spec}, true}).value();
  EXPECT_FALSE(report.states[0].problem.empty());
}

TEST(ReconcilePins, TheHostsNamespaceHasNoPin) {
  auto machine = host{};
  auto spec = recorded('a', 0);
  spec.use_host_namespace = true;
  auto report = reconcile_pins(*machine.kernel, {{spec}, true}).value();
  EXPECT_FALSE(report.states[0].remade);
  EXPECT_TRUE(report.states[0].problem.empty());
  EXPECT_TRUE(pins(machine).empty());
}

/// A sandbox with two interfaces, `eth0` on 10.1/16 and `eth1` on 10.2/16.
struct two_networks : testing::Test {
  two_networks() {
    ns = machine.sandbox("aaaaaaaaaaaa");
    for (auto i : {1, 2}) {
      auto veth = netns::veth_request{};
      veth.name = "host" + std::to_string(i);
      veth.peer_name = "eth" + std::to_string(i - 1);
      veth.peer_namespace = ns;
      EXPECT_TRUE(machine.kernel->add_veth(veth));
    }
    inside = machine.kernel->enter(ns).value();
    for (auto i : {1, 2}) {
      auto index = inside->link_index("eth" + std::to_string(i - 1)).value();
      auto up = netns::link_change{};
      up.up = true;
      EXPECT_TRUE(inside->set_link(index, up));
      EXPECT_TRUE(inside->add_address(
        index, cidr("10." + std::to_string(i) + ".0.5/16")));
    }
  }

  /// `interface gateway` of each IPv4 default route.
  std::string default_routes() {
    auto text = std::string{};
    const auto routes = inside->routes();
    for (const auto& x : routes.value())
      if (!x.destination)
        text += inside->link(x.index).value().name + " " + to_string(*x.gateway)
                + ";";
    return text;
  }

  host machine;
  netns::namespace_ref ns;
  std::unique_ptr<netns::kernel> inside;
};

TEST_F(two_networks, DefaultRouteIsSetMovedAndRemoved) {
  auto& kernel = *machine.kernel;
  ASSERT_TRUE(replace_default_routes(
    kernel, {ns, default_route{"eth0", ip("10.1.0.1")}, {}}));
  EXPECT_EQ(default_routes(), "eth0 10.1.0.1;");
  ASSERT_TRUE(replace_default_routes(
    kernel, {ns, default_route{"eth1", ip("10.2.0.1")}, {}}));
  EXPECT_EQ(default_routes(), "eth1 10.2.0.1;");
  ASSERT_TRUE(replace_default_routes(kernel, {ns, {}, {}}));
  EXPECT_EQ(default_routes(), "");
}

TEST_F(two_networks, ARouteThatIsRightStays) {
  auto wanted
    = set_default_routes{ns, default_route{"eth0", ip("10.1.0.1")}, {}};
  ASSERT_TRUE(replace_default_routes(*machine.kernel, wanted));
  const auto before = fingerprint(*machine.world, true);
  ASSERT_TRUE(replace_default_routes(*machine.kernel, wanted));
  EXPECT_EQ(fingerprint(*machine.world, true), before);
}

TEST_F(two_networks, AMissingInterfaceIsAnError) {
  auto replaced = replace_default_routes(
    *machine.kernel, {ns, default_route{"eth7", ip("10.1.0.1")}, {}});
  ASSERT_FALSE(replaced);
  EXPECT_EQ(replaced.error().code, ec::not_found);
}

} // namespace

} // namespace troupe::test
