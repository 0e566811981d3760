#include "troupe/actors/objects/joined_endpoints.hpp"
#include "troupe/tests/unit/drivers/fixture.hpp"

namespace troupe::test {

namespace {

/// An endpoint of its own network, both called after the digit.
joined_endpoint
joined(char digit, std::string network, int priority, std::string_view gateway,
       std::string_view gateway_v6 = {}) {
  auto result = joined_endpoint{};
  result.id.value = id_of(digit);
  result.network.value = id_of(digit);
  result.network_name = std::move(network);
  result.interface = std::string{"eth"} + digit;
  result.priority = priority;
  if (!gateway.empty())
    result.gateway = ip(gateway);
  if (!gateway_v6.empty())
    result.gateway_v6 = ip(gateway_v6);
  return result;
}

/// Digits of the endpoints that give the IPv4 and the IPv6 default route.
std::string gateways(const joined_endpoints& table) {
  auto digit = [&](ip_family family) {
    const auto* x = table.gateway(family);
    return x == nullptr ? '-' : x->id.value.front();
  };
  return {digit(ip_family::v4), digit(ip_family::v6)};
}

TEST(GatewayChoice, HighestPriorityWins) { // GW-01
  auto table = joined_endpoints{};
  table.add(joined('1', "nw_1", 1, "10.1.0.1", "fd01::1"));
  table.add(joined('3', "nw_3", 3, "10.3.0.1"));
  table.add(joined('2', "nw_2", 2, "10.2.0.1", "fd02::1"));
  // Even with one family only; the other family goes to the next in line.
  EXPECT_EQ(gateways(table), "32");
}

TEST(GatewayChoice, LeavingMovesItToTheNextPriority) { // GW-02
  auto table = joined_endpoints{};
  for (auto n : {'1', '2', '3'})
    table.add(joined(n, std::string{"nw_"} + n, n - '0', "10.1.0.1"));
  EXPECT_EQ(gateways(table), "3-");
  table.remove({id_of('3')});
  EXPECT_EQ(gateways(table), "2-");
  table.remove({id_of('2')});
  EXPECT_EQ(gateways(table), "1-");
  table.remove({id_of('1')});
  EXPECT_EQ(gateways(table), "--");
  EXPECT_FALSE(table.route(ip_family::v4));
}

TEST(GatewayChoice, EqualsAreChosenByNetworkName) { // GW-04
  auto table = joined_endpoints{};
  table.add(joined('a', "nw_1", 0, "10.1.0.1"));
  table.add(joined('b', "nw_0", 0, "10.2.0.1"));
  EXPECT_EQ(gateways(table), "b-");
}

TEST(GatewayChoice, EachFamilyHasItsOwn) { // GW-04b, GW-08
  auto table = joined_endpoints{};
  table.add(joined('4', "b-v4-only", 0, "10.1.0.1"));
  table.add(joined('6', "a-v6-only", 0, "", "fd02::1"));
  EXPECT_EQ(gateways(table), "46");
}

TEST(GatewayChoice, PriorityCountsInItsFamilyOnly) { // GW-04c
  auto table = joined_endpoints{};
  table.add(joined('d', "dual", 0, "172.30.0.1", "fe90::1"));
  table.add(joined('4', "v4", 1000, "172.31.0.1"));
  EXPECT_EQ(gateways(table), "4d");
}

TEST(GatewayChoice, BothFamiliesBeforeOne) { // GW-10
  auto table = joined_endpoints{};
  table.add(joined('4', "a-v4", 0, "10.1.0.1"));
  table.add(joined('6', "b-v6", 0, "", "fd02::1"));
  table.add(joined('d', "z-dual", 0, "10.3.0.1", "fd03::1"));
  EXPECT_EQ(gateways(table), "dd");
}

TEST(GatewayChoice, NegativePrioritiesComeLast) { // GW-13
  auto table = joined_endpoints{};
  table.add(joined('n', "a", -1, "10.1.0.1", "fd01::1"));
  table.add(joined('z', "b", 0, "10.2.0.1"));
  EXPECT_EQ(gateways(table), "zn");
}

TEST(GatewayChoice, OfTwoOfOneNetworkTheFirstInterface) {
  auto later = joined('2', "web", 0, "10.1.0.1");
  later.interface = "eth10";
  auto first = joined('1', "web", 0, "10.1.0.1");
  first.interface = "eth9";
  auto table = joined_endpoints{};
  table.add(later);
  table.add(first);
  EXPECT_EQ(gateways(table), "1-");
}

TEST(GatewayChoice, DoesNotDependOnTheOrderOfJoining) {
  auto all = std::vector<joined_endpoint>{
    joined('1', "one", 5, "10.1.0.1"), joined('2', "two", 5, "", "fd02::1"),
    joined('3', "three", 0, "10.3.0.1", "fd03::1"),
    joined('4', "four", 5, "10.4.0.1")};
  auto order = std::vector<size_t>{0, 1, 2, 3};
  do {
    auto table = joined_endpoints{};
    for (auto i : order)
      table.add(all[i]);
    EXPECT_EQ(gateways(table), "42");
  } while (std::next_permutation(order.begin(), order.end()));
}

// As the driver builds it: moved routes and the doctor must know it too.
TEST(GatewayChoice, TheContainersGatewayReplacesThePools) {
  auto network = network_spec{};
  auto pool = ipam_pool{};
  pool.subnet = *prefix::parse("10.1.0.0/16");
  pool.gateway = ip("10.1.0.1");
  pool.aux_addresses["DefaultGatewayIPv4"] = ip("10.1.0.9");
  pool.aux_addresses["router"] = ip("10.1.0.8");
  network.pools.push_back(pool);
  EXPECT_EQ(gateway_of(network, ip_family::v4), ip("10.1.0.9"));
  EXPECT_EQ(gateway_of(network, ip_family::v6), std::nullopt);
}

TEST(GatewayChoice, InternalNetworksGiveNone) {
  auto network = network_dual();
  network.internal = true;
  auto x = describe_join(network, {});
  EXPECT_TRUE(x.internal);
  EXPECT_FALSE(x.gateway);
  EXPECT_FALSE(x.gateway_v6);
}

TEST(GatewayChoice, RouteNamesInterfaceAndGateway) {
  auto table = joined_endpoints{};
  auto x = describe_join(network_dual(), {});
  x.interface = "eth0";
  table.add(x);
  EXPECT_EQ(table.route(ip_family::v4),
            (default_route{"eth0", ip("10.1.0.1")}));
  EXPECT_EQ(table.route(ip_family::v6),
            (default_route{"eth0", ip("fd00:1::1")}));
}

TEST(InterfaceNames, LowestFreeNumber) { // BR-46, OS-01, OS-02
  auto table = joined_endpoints{};
  auto join = [&](char digit, const std::string& wanted) {
    auto x = joined(digit, "n", 0, "");
    x.interface = table.choose_interface(wanted, "eth").value();
    table.add(x);
    return x.interface;
  };
  EXPECT_EQ(join('0', "eth1"), "eth1");
  EXPECT_EQ(join('1', ""), "eth0");
  EXPECT_EQ(join('2', ""), "eth2");
  table.remove({id_of('1')});
  table.remove({id_of('2')});
  EXPECT_EQ(join('3', ""), "eth0");
}

TEST(InterfaceNames, ATakenNameIsAConflict) {
  auto table = joined_endpoints{};
  auto x = joined('a', "n", 0, "");
  x.interface = "lan0";
  table.add(x);
  auto chosen = table.choose_interface("lan0", "eth");
  ASSERT_FALSE(chosen);
  EXPECT_EQ(chosen.error().code, ec::conflict);
  EXPECT_NE(chosen.error().message.find("\"lan0\""), std::string::npos);
}

TEST(InterfaceNames, BothLabelsAskForOne) {
  EXPECT_EQ(wanted_interface({}), "");
  EXPECT_EQ(wanted_interface({{"ifname", "lan0"}}), "lan0");
  EXPECT_EQ(wanted_interface({{"com.docker.network.endpoint.ifname", "lan1"},
                              {"ifname", "lan0"}}),
            "lan1");
}

TEST(JoinedEndpoints, AreFoundByEndpointAndByNetwork) {
  auto table = joined_endpoints{};
  table.add(joined('a', "n", 0, ""));
  EXPECT_NE(table.find(endpoint_id{id_of('a')}), nullptr);
  EXPECT_NE(table.find(network_id{id_of('a')}), nullptr);
  EXPECT_EQ(table.find(endpoint_id{id_of('b')}), nullptr);
  EXPECT_EQ(table.find(network_id{id_of('b')}), nullptr);
}

} // namespace

} // namespace troupe::test
