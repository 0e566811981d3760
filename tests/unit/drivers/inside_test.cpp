#include "troupe/drivers/inside/paths.hpp"

#include "bridge_fixture.hpp"
#include <algorithm>
#include <cerrno>

/// What is inside a sandbox: routes, rules, and what is not ours there.
namespace troupe::test {

using netns::route_info;
using netns::rule_info;

namespace {

class Inside : public BridgeEndpoint {
protected:
  void SetUp() override {
    network = network_dual();
    make_network();
    auto name_service = port_spec{};
    name_service.proto = protocol::udp;
    name_service.port = 53;
    plan.endpoint.ports = {name_service};
    second.pools
      = {pool("10.2.0.0/16", "10.2.0.1"), pool("fd00:2::/64", "fd00:2::1")};
    ASSERT_TRUE(driver->create_network(*machine.kernel, second));
    other = plan_for(second, plan.where.ns, 2);
    other.where = {plan.where.ns, "eth1"};
  }

  std::unique_ptr<netns::kernel> box() {
    return machine.kernel->enter(plan.where.ns).value();
  }

  std::vector<rule_info> rules() {
    return box()->rules().value();
  }

  std::vector<route_info> routes_of(const std::string& interface) {
    auto inside = box();
    return inside->link_routes(inside->link_index(interface).value()).value();
  }

  /// An interface that somebody made inside, with an address.
  int foreign_link(std::string_view address) {
    auto inside = box();
    auto request = netns::bridge_request{};
    request.name = "tun0";
    request.mac = {{2, 9, 9, 9, 9, 7}};
    auto index = inside->add_bridge(request).value();
    auto up = netns::link_change{};
    up.up = true;
    EXPECT_TRUE(inside->set_link(index, up));
    const auto is_v6 = cidr(address).address.is_v6();
    EXPECT_TRUE(inside->set_sysctl(netns::sysctl::ipv6_disable, request.name,
                                   is_v6 ? 0 : 1));
    EXPECT_TRUE(inside->add_address(index, cidr(address)));
    return index;
  }

  network_spec second = network_dual('b');
  drivers::endpoint_plan other;
};

/// Does a rule of that kind lead packets from the address to the table?
bool leads(const std::vector<rule_info>& all, std::string_view from,
           uint32_t table) {
  return std::ranges::any_of(all, [&](const rule_info& x) {
    return x.from && x.from->address() == ip(from) && x.table == table;
  });
}

} // namespace

TEST_F(Inside, EachEndpointHasItsOwnTable) {
  ASSERT_TRUE(create());
  ASSERT_TRUE(driver->create_endpoint(*machine.kernel, other));
  const auto first_table = drivers::table_of(plan.endpoint.id);
  const auto second_table = drivers::table_of(other.endpoint.id);
  ASSERT_NE(first_table, second_table);
  for (auto [address, table] : {std::pair{"10.1.0.2", first_table},
                                {"fd00:1::2", first_table},
                                {"10.2.0.3", second_table},
                                {"fd00:2::3", second_table}})
    EXPECT_TRUE(leads(rules(), address, table)) << address;
  for (auto [interface, table] :
       {std::pair{"eth0", first_table}, {"eth1", second_table}}) {
    auto defaults = 0;
    for (const auto& x : routes_of(interface))
      defaults += !x.destination && x.table == table ? 1 : 0;
    EXPECT_EQ(defaults, 2) << interface;
  }
  // The main table has the default routes of one of them.
  EXPECT_EQ(routes().size(), 2U);
  EXPECT_TRUE(complaints().empty());
}

TEST_F(Inside, NothingIsLeftBehind) {
  for (auto order : {0, 1}) {
    const auto before = machine.print();
    auto plans = std::vector{plan, other};
    for (const auto& x : plans)
      ASSERT_TRUE(driver->create_endpoint(*machine.kernel, x));
    for (auto i : {order, 1 - order}) {
      const auto& x = plans[static_cast<size_t>(i)];
      ASSERT_TRUE(driver->remove_endpoints(*machine.kernel, {&x, 1}));
    }
    EXPECT_EQ(machine.print(), before);
  }
}

TEST_F(Inside, ALeaveSparesWhatATwinInTheSameNetworkNeeds) {
  ASSERT_TRUE(create());
  const auto before = machine.print();
  auto twin = plan_for(network, plan.where.ns, 3);
  twin.where = {plan.where.ns, "eth2"};
  ASSERT_TRUE(driver->create_endpoint(*machine.kernel, twin));
  ASSERT_TRUE(driver->remove_endpoints(*machine.kernel, {&twin, 1}));
  EXPECT_TRUE(complaints().empty());
  EXPECT_EQ(machine.print(), before);
}

TEST_F(Inside, ALateRemovalSparesTheNextOwnerOfTheAddress) {
  ASSERT_TRUE(create());
  remove();
  auto next = plan;
  next.endpoint.id.value = id_of('7');
  ASSERT_TRUE(driver->create_endpoint(*machine.kernel, next));
  const auto before = machine.print();
  remove();
  EXPECT_EQ(machine.print(), before);
}

TEST_F(Inside, LostRoutesAndRulesAreNamedAndMended) {
  ASSERT_TRUE(create());
  const auto before = machine.print();
  for (const auto& x : routes_of("eth0")) {
    ASSERT_TRUE(box()->del_route(x));
    EXPECT_EQ(complaints().size(), 1U);
    ASSERT_TRUE(create());
    EXPECT_EQ(machine.print(), before) << complaints().size();
  }
  for (const auto& x : rules()) {
    ASSERT_TRUE(box()->del_rule(x));
    EXPECT_EQ(complaints().size(), 1U);
    ASSERT_TRUE(create());
    EXPECT_EQ(rules().size(), before.empty() ? 0U : rules().size());
    EXPECT_TRUE(complaints().empty());
  }
}

TEST_F(Inside, AllRoutesOfAnInterfaceAreMended) {
  ASSERT_TRUE(create());
  const auto before = machine.print();
  for (const auto& x : routes_of("eth0"))
    ASSERT_TRUE(box()->del_route(x));
  EXPECT_FALSE(complaints().empty());
  ASSERT_TRUE(create());
  EXPECT_EQ(machine.print(), before);
}

TEST_F(Inside, APortThatGoesTakesItsRuleAlong) {
  ASSERT_TRUE(create());
  const auto with = rules().size();
  plan.endpoint.ports.clear();
  EXPECT_FALSE(complaints().empty());
  ASSERT_TRUE(create());
  EXPECT_LT(rules().size(), with);
  EXPECT_TRUE(complaints().empty());
}

TEST_F(Inside, RoutesOfOthersStay) {
  const auto index = foreign_link("10.9.0.1/16");
  auto theirs = std::vector<route_info>{};
  for (auto metric : {0U, 10U, 5000U}) {
    auto x = route_info{};
    x.gateway = ip("10.9.0.9");
    x.index = index;
    x.metric = metric;
    theirs.push_back(x);
    ASSERT_TRUE(box()->add_route(x));
  }
  const auto before = machine.print();
  ASSERT_TRUE(create());
  ASSERT_TRUE(driver->create_endpoint(*machine.kernel, other));
  for (const auto& x : theirs)
    EXPECT_EQ(std::ranges::count(routes(), x), 1);
  EXPECT_EQ(routes().size(), theirs.size() + 2);
  remove();
  ASSERT_TRUE(driver->remove_endpoints(*machine.kernel, {&other, 1}));
  EXPECT_EQ(machine.print(), before);
}

TEST_F(Inside, AnAddressOfAnotherInterfaceIsRefusedBeforeAnythingIsTouched) {
  foreign_link("10.1.0.77/24");
  const auto before = machine.print();
  auto refused = create();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ec::conflict);
  EXPECT_NE(refused.error().message.find("tun0"), std::string::npos);
  EXPECT_EQ(machine.print(), before);
}

TEST_F(Inside, AnOverlapThatComesLaterIsNamed) {
  ASSERT_TRUE(create());
  foreign_link("fd00:1::77/64");
  ASSERT_EQ(complaints().size(), 1U);
  EXPECT_NE(complaints()[0].find("tun0"), std::string::npos);
  auto refused = create();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ec::conflict);
  EXPECT_EQ(complaints().size(), 1U);
}

TEST_F(Inside, TwoEndpointsOfANetworkAreNoOverlap) {
  ASSERT_TRUE(create());
  auto twin = plan_for(network, plan.where.ns, 3);
  twin.where = {plan.where.ns, "eth1"};
  ASSERT_TRUE(driver->create_endpoint(*machine.kernel, twin));
  EXPECT_TRUE(complaints().empty());
  EXPECT_TRUE(driver->inspect_endpoint(*machine.kernel, twin)->empty());
}

TEST_F(Inside, AHostEndThatWentElsewhereIsBuiltAgain) {
  ASSERT_TRUE(create());
  const auto before = complaints();
  const auto moved = machine.world->make_external_namespace("/proc/9/ns/net");
  const auto name = driver->host_interface(plan.endpoint);
  ASSERT_TRUE(machine.world->move_link("", name, moved.path));
  ASSERT_FALSE(complaints().empty());
  ASSERT_TRUE(create());
  EXPECT_EQ(complaints(), before);
  auto there = machine.kernel->adopt_namespace("there", moved.path).value();
  EXPECT_EQ(machine.kernel->enter(there).value()->links()->size(), 1U);
}

TEST_F(Inside, DetachTakesAnInterfaceAlongWhoseHostEndWentElsewhere) {
  ASSERT_TRUE(create());
  const auto moved = machine.world->make_external_namespace("/proc/9/ns/net");
  const auto name = driver->host_interface(plan.endpoint);
  ASSERT_TRUE(machine.world->move_link("", name, moved.path));
  remove();
  EXPECT_FALSE(machine.has_link("box", "eth0"));
  EXPECT_TRUE(rules().empty());
}

TEST_F(Inside, AdoptedNamespacesAreQuiet) {
  using netns::sysctl;
  machine.world->make_external_namespace("/proc/9/ns/net");
  auto ns = machine.kernel->adopt_namespace("adopted", "/proc/9/ns/net");
  for (auto has_ipv6 : {false, true}) {
    network = has_ipv6 ? network_dual() : network_v4();
    make_network();
    plan = plan_for(network, *ns);
    ASSERT_TRUE(create());
    auto value_of = [&](sysctl key) {
      return box()->read_sysctl(key, "eth0").value();
    };
    EXPECT_EQ(value_of(sysctl::ipv6_disable), has_ipv6 ? 0 : 1);
    if (has_ipv6) {
      for (auto key : {sysctl::ipv6_accept_ra, sysctl::ipv6_accept_dad,
                       sysctl::ipv6_accept_redirects})
        EXPECT_EQ(value_of(key), 0);
    }
    auto on = box()->set_sysctl(sysctl::ipv6_disable, "eth0", has_ipv6 ? 1 : 0);
    ASSERT_TRUE(on);
    EXPECT_FALSE(complaints().empty());
    ASSERT_TRUE(create());
    EXPECT_TRUE(complaints().empty());
    remove();
  }
}

TEST_F(Inside, AnEndpointIsAnnouncedAndTheHostForgets) {
  ASSERT_TRUE(create());
  const auto bridge
    = machine.kernel->link_index(driver->network_interface(network)).value();
  for (const auto& x : plan.endpoint.addresses)
    ASSERT_TRUE(machine.kernel->set_neighbour({bridge, x.address, {}}));
  ASSERT_TRUE(driver->announce_endpoint(*machine.kernel, plan));
  EXPECT_TRUE(machine.kernel->neighbours(bridge)->empty());
  const auto inside = machine.link("box", "eth0");
  // ARP goes through the bridge, to all of its ports.
  using list = std::vector<netns::neighbour_info>;
  const auto mac = inside.info.mac;
  for (const auto& space : machine.world->view().namespaces)
    if (space.label == "box")
      EXPECT_EQ(space.announced,
                (list{{inside.info.index, ip("fd00:1::2"), mac}}));
    else
      EXPECT_EQ(space.announced, (list{{bridge, ip("10.1.0.2"), mac}}));
  remove();
  auto late = driver->announce_endpoint(*machine.kernel, plan);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, ec::not_found);
}

TEST_F(Inside, AnnouncementsFollowTheOptions) {
  EXPECT_EQ(driver->announcing(network, plan.endpoint).count, 3U);
  network.options["com.docker.network.advertise_addr_nmsgs"] = "2";
  network.options["advertise_addr_ms"] = "250";
  EXPECT_EQ(driver->announcing(network, plan.endpoint).count, 2U);
  EXPECT_EQ(driver->announcing(network, plan.endpoint).interval_ms, 250U);
  plan.endpoint.options["advertise_addr_nmsgs"] = "0";
  EXPECT_EQ(driver->announcing(network, plan.endpoint).count, 0U);
}

} // namespace troupe::test
