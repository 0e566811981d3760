#include "troupe/tests/unit/netns/kernel_contract.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>

/// Tables, rules, the routes of addresses, and what neighbours know.
namespace troupe::test {

using netns::neighbour_info;
using netns::route_info;
using netns::route_type;
using netns::rule_info;

namespace {

using routes = std::vector<route_info>;

/// What the kernel makes for an address; `source` for IPv4 alone.
route_info kernel_route(std::string_view destination, int index, uint32_t table,
                        route_type type, std::string_view source = {}) {
  auto x = route_info{};
  x.destination = net(destination);
  x.family = x.destination->family();
  x.index = index;
  x.table = table;
  x.type = type;
  x.protocol = netns::made_by_kernel;
  if (!source.empty())
    x.source = ip(source);
  if (x.family == ip_family::v6 && type == route_type::unicast)
    x.metric = 256;
  return x;
}

/// The link's routes but for those of groups and link-local addresses.
routes look_at_routes(netns::kernel& k, int index) {
  auto found = k.link_routes(index).value_or(routes{});
  std::erase_if(found, [](const route_info& x) {
    return x.type == route_type::multicast || x.type == route_type::other
           || (x.destination && x.destination->address().is_link_local());
  });
  std::ranges::sort(found);
  return found;
}

/// Once there are so many: the kernel makes the local route of an IPv6 address
/// a moment after the address.
routes look_at_routes(netns::kernel& k, int index, size_t number) {
  auto found = look_at_routes(k, index);
  for (auto left = 1000; left > 0 && found.size() < number; --left) {
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
    found = look_at_routes(k, index);
  }
  return found;
}

route_info far_away(uint32_t table, int index) {
  auto x = route_info{};
  x.destination = net("10.9.0.0/16");
  x.gateway = ip("10.0.0.9");
  x.index = index;
  x.table = table;
  x.protocol = netns::made_by_troupe;
  return x;
}

rule_info rule(uint32_t priority, std::string_view from, uint32_t table) {
  auto x = rule_info{};
  x.priority = priority;
  x.from = net(from);
  x.family = x.from->family();
  x.table = table;
  return x;
}

} // namespace

TEST_P(KernelContract, TellsTheRoutesOfAddresses) {
  auto bridge = make_bridge("br0");
  for (auto text : {"10.0.0.1/24", "10.5.0.1/32", "10.6.0.0/31", "fd00::1/64"})
    ASSERT_TRUE(works(host().add_address(bridge, cidr(text))));
  using netns::local_table;
  using netns::main_table;
  auto wanted = routes{
    kernel_route("10.0.0.0/24", bridge, main_table, route_type::unicast,
                 "10.0.0.1"),
    kernel_route("10.0.0.1/32", bridge, local_table, route_type::local,
                 "10.0.0.1"),
    kernel_route("10.0.0.255/32", bridge, local_table, route_type::broadcast,
                 "10.0.0.1"),
    kernel_route("10.5.0.1/32", bridge, local_table, route_type::local,
                 "10.5.0.1"),
    kernel_route("10.6.0.0/31", bridge, main_table, route_type::unicast,
                 "10.6.0.0"),
    kernel_route("10.6.0.0/32", bridge, local_table, route_type::local,
                 "10.6.0.0"),
    kernel_route("fd00::/64", bridge, main_table, route_type::unicast),
    kernel_route("fd00::1/128", bridge, local_table, route_type::local),
  };
  std::ranges::sort(wanted);
  EXPECT_EQ(look_at_routes(host(), bridge, wanted.size()), wanted);
  EXPECT_TRUE(host().link_routes(9999).value().empty());
}

TEST_P(KernelContract, RoutesOfAddressesCanBeDeletedAndMadeAgain) {
  auto bridge = make_bridge("br0");
  for (auto text : {"10.0.0.1/24", "fd00::1/64"})
    ASSERT_TRUE(works(host().add_address(bridge, cidr(text))));
  const auto before = look_at_routes(host(), bridge, 5);
  ASSERT_EQ(before.size(), 5U);
  for (const auto& x : before) {
    // The kernel gives a local IPv6 route that others make another metric.
    if (x.family == ip_family::v6 && x.type == route_type::local)
      continue;
    ASSERT_TRUE(works(host().del_route(x)));
    EXPECT_TRUE(fails_with(ESRCH, host().del_route(x)));
    EXPECT_EQ(look_at_routes(host(), bridge).size(), before.size() - 1);
    ASSERT_TRUE(works(host().add_route(x)));
    EXPECT_EQ(look_at_routes(host(), bridge), before);
  }
  auto any = before.back();
  any.protocol = 0;
  ASSERT_TRUE(works(host().del_route(any)));
  ASSERT_TRUE(works(host().del_address(bridge, cidr("fd00::1/64"))));
  ASSERT_TRUE(works(host().add_address(bridge, cidr("fd00::1/64"))));
  EXPECT_EQ(look_at_routes(host(), bridge, 5), before);
}

TEST_P(KernelContract, TwoLinksMayHaveRoutesToOneSubnet) {
  const auto first = make_bridge("br0");
  const auto second = make_bridge("br1");
  for (auto text : {"10.0.0.1/24", "fd00::1/64"})
    ASSERT_TRUE(works(host().add_address(first, cidr(text))));
  for (auto text : {"10.0.0.2/24", "fd00::2/64"})
    ASSERT_TRUE(works(host().add_address(second, cidr(text))));
  for (auto link : {first, second}) {
    const auto before = look_at_routes(host(), link, 5);
    for (const auto& x : before) {
      if (x.type != route_type::unicast)
        continue;
      ASSERT_TRUE(works(host().del_route(x)));
      ASSERT_TRUE(works(host().add_route(x)));
      EXPECT_TRUE(fails_with(EEXIST, host().add_route(x)));
      EXPECT_EQ(look_at_routes(host(), link), before);
    }
  }
}

TEST_P(KernelContract, TablesAreApart) {
  auto bridge = make_bridge("br0");
  ASSERT_TRUE(works(host().add_address(bridge, cidr("10.0.0.1/24"))));
  for (auto table : {netns::main_table, uint32_t{7}, uint32_t{0x80001234}}) {
    ASSERT_TRUE(works(host().add_route(far_away(table, bridge))));
    EXPECT_TRUE(fails_with(EEXIST, host().add_route(far_away(table, bridge))));
  }
  EXPECT_EQ(host().routes().value(),
            routes{far_away(netns::main_table, bridge)});
  auto all = look_at_routes(host(), bridge);
  EXPECT_EQ(
    std::ranges::count(all, netns::made_by_troupe, &route_info::protocol), 3);
  ASSERT_TRUE(works(host().del_route(far_away(7, bridge))));
  EXPECT_TRUE(fails_with(ESRCH, host().del_route(far_away(7, bridge))));
  auto by_others = far_away(0x80001234, bridge);
  by_others.protocol = netns::made_by_admin;
  EXPECT_TRUE(fails_with(ESRCH, host().del_route(by_others)));
  by_others.protocol = 0;
  EXPECT_TRUE(works(host().del_route(by_others)));
  EXPECT_EQ(host().routes().value().size(), 1U);
}

TEST_P(KernelContract, RulesAreListedInTheirOrder) {
  ASSERT_TRUE(host().rules().value().empty());
  auto all = std::vector{rule(5, "10.0.0.1/32", 7), rule(4, "fd00::1/128", 7),
                         rule(3, "10.0.0.1/32", netns::main_table),
                         rule(2, "10.0.0.1/32", 0x80001234)};
  all[1].output = "eth7";
  all[2].no_default = true;
  all[2].proto = protocol::udp;
  all[2].first_port = 80;
  all[2].last_port = 89;
  all[3].to = net("10.2.0.0/16");
  all[3].table = 0;
  all[3].jump = 5;
  for (const auto& x : all) {
    ASSERT_TRUE(works(host().add_rule(x)));
    EXPECT_TRUE(fails_with(EEXIST, host().add_rule(x)));
  }
  EXPECT_EQ(host().rules().value(),
            (std::vector{all[3], all[2], all[0], all[1]}));
  for (const auto& x : all) {
    EXPECT_TRUE(works(host().del_rule(x)));
    EXPECT_TRUE(fails_with(ENOENT, host().del_rule(x)));
  }
  EXPECT_TRUE(host().rules().value().empty());
  auto backwards = rule(5, "10.0.0.1/32", 0);
  backwards.jump = 4;
  EXPECT_TRUE(fails_with(EINVAL, host().add_rule(backwards)));
}

TEST_P(KernelContract, ListsTheAddressesOfAllLinks) {
  auto bridge = make_bridge("br0");
  auto other = make_bridge("br1", "02:00:00:00:00:02");
  auto wanted = std::vector<netns::placed_address>{
    {bridge, cidr("10.0.0.1/24")}, {other, cidr("fd00::1/64")}};
  for (const auto& x : wanted)
    ASSERT_TRUE(works(host().add_address(x.index, x.address)));
  auto all = host().all_addresses().value();
  for (const auto& x : wanted)
    EXPECT_NE(std::ranges::find(all, x), all.end());
}

TEST_P(KernelContract, ListsPermanentNeighbours) {
  auto bridge = make_bridge("br0");
  auto other = make_bridge("br1", "02:00:00:00:00:02");
  auto v4 = neighbour_info{bridge, ip("10.0.0.9"), mac("02:00:00:00:00:09")};
  auto v6 = neighbour_info{bridge, ip("fd00::9"), mac("02:00:00:00:00:09")};
  for (const auto& x : {v4, v6})
    ASSERT_TRUE(works(host().set_neighbour(x)));
  auto found = host().neighbours(bridge).value();
  std::ranges::sort(found);
  EXPECT_EQ(found, (std::vector{v4, v6}));
  EXPECT_TRUE(host().neighbours(other).value().empty());
}

TEST_P(KernelContract, AnnouncesThroughALinkThatIsUp) {
  auto there = make_namespace("a");
  make_veth("v0", there);
  auto eth0 = there.kernel->link_index("eth0").value();
  ASSERT_TRUE(works(there.kernel->add_address(eth0, cidr("fd00::9/64"))));
  auto elsewhere = neighbour_info{eth0, ip("fd00::7"), {}};
  EXPECT_TRUE(fails_with(EADDRNOTAVAIL, there.kernel->announce(elsewhere)));
  for (auto text : {"10.0.0.9", "fd00::9"}) {
    auto x = neighbour_info{eth0, ip(text), mac("02:42:0a:00:00:02")};
    EXPECT_TRUE(works(there.kernel->announce(x)));
    x.index = 9999;
    EXPECT_TRUE(fails_with(ENODEV, there.kernel->announce(x)));
  }
  auto down = netns::link_change{};
  down.up = false;
  ASSERT_TRUE(works(there.kernel->set_link(eth0, down)));
  auto x = neighbour_info{eth0, ip("10.0.0.9"), mac("02:42:0a:00:00:02")};
  EXPECT_TRUE(fails_with(ENETDOWN, there.kernel->announce(x)));
}

TEST_P(KernelContract, FindsANamespaceThatLostItsPin) {
  auto ref = host().create_namespace("a").value();
  machine_->unmount_pin(ref.path);
  EXPECT_TRUE(fails_with(ec::not_found, host().enter(ref)));
  auto path = host().find_namespace(ref.inode);
  ASSERT_TRUE(works(path));
  auto again = host().adopt_namespace("b", *path);
  ASSERT_TRUE(works(again));
  EXPECT_EQ(again->inode, ref.inode);
  EXPECT_TRUE(works(host().enter(*again)));
  ASSERT_TRUE(works(host().remove_namespace("a")));
  ASSERT_TRUE(works(host().remove_namespace("b")));
  // Nobody keeps it open any more.
  EXPECT_TRUE(machine_->eventually([&] {
    return !host().find_namespace(ref.inode);
  }));
  EXPECT_TRUE(fails_with(ENOENT, host().find_namespace(1)));
}

TEST_P(KernelContract, KeepsANamespaceThatSomebodyElsePinned) {
  auto ref = machine_->open()->create_namespace("a").value();
  host().keep_namespace("a", ref);
  machine_->unmount_pin(ref.path);
  EXPECT_TRUE(works(host().find_namespace(ref.inode)));
  ASSERT_TRUE(works(host().remove_namespace("a")));
  EXPECT_TRUE(fails_with(ENOENT, host().find_namespace(ref.inode)));
}

} // namespace troupe::test
