#include "fixture.hpp"

namespace troupe::test {

namespace {

const auto bridge = drivers::make("bridge", owner);

struct pool_case {
  const char* subnet;
  const char* gateway; ///< Empty: none.
  bool is_fine;
};

std::ostream& operator<<(std::ostream& out, const pool_case& x) {
  return out << x.subnet << " gateway " << x.gateway;
}

class BridgePool : public ::testing::TestWithParam<pool_case> {};

TEST_P(BridgePool, IsJudged) {
  const auto& [subnet, gateway, is_fine] = GetParam();
  auto network = network_spec{};
  auto x = ipam_pool{};
  x.subnet = net(subnet);
  if (*gateway != 0)
    x.gateway = ip(gateway);
  network.enable_ipv6 = x.subnet->family() == ip_family::v6;
  network.pools = {x};
  auto done = bridge->validate(network);
  EXPECT_EQ(done.has_value(), is_fine) << text(done);
  if (!done) {
    EXPECT_EQ(done.error().code, ec::invalid_argument);
  }
}

const pool_case pools[] = {
  {"172.28.30.0/24", "172.28.30.234", true}, // BR-04
  {"172.28.30.0/24", "172.28.31.1", false},
  {"172.28.30.0/24", "172.28.30.0", false},
  {"172.28.30.0/24", "172.28.30.255", false},
  {"172.28.30.0/24", "fd00::1", false},
  {"172.28.30.0/31", "172.28.30.0", true},
  {"172.28.30.0/24", "", true},
  {"0.0.0.0/0", "", false},
  {"127.1.0.0/16", "", false},
  {"224.0.0.0/8", "", false},
  {"169.254.0.0/16", "", false},
  {"169.254.7.0/24", "169.254.7.1", false},
  {"255.255.255.0/24", "", false},
  {"0.1.0.0/16", "", false},
  {"::/120", "", false},
  {"fd00:1::/64", "fd00:1::1", true},
  {"fd00:1::/64", "fd00:1::", false},
  {"fd00:1::/64", "fd00:1::ffff:ffff:ffff:ffff", true},
  {"fd00:1::/64", "fd00:2::1", false}, // BR-05
  {"fe80::/63", "", false},            // BR-10
  {"fe80::/65", "", false},
  {"fe80::/64", "", false},
  {"::/0", "", false},
  {"::/8", "", false},
  {"ff02::/16", "", false},
};

INSTANTIATE_TEST_SUITE_P(Table, BridgePool, ::testing::ValuesIn(pools));

TEST(BridgeValidate, AcceptsARequestThatLeavesPoolsOpen) {
  auto network = network_spec{};
  EXPECT_TRUE(bridge->validate(network));
  network.pools.emplace_back();
  EXPECT_TRUE(bridge->validate(network));
}

TEST(BridgeValidate, RefusesTwoSubnetsOfOneFamily) {
  auto network = network_v4();
  network.pools.push_back(pool("10.2.0.0/16", "10.2.0.1"));
  auto done = bridge->validate(network);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ec::forbidden);
  EXPECT_NE(done.error().message.find("doesn't support multiple subnets"),
            std::string::npos);
}

TEST(BridgeValidate, RefusesASubnetOfAFamilyThatIsOff) {
  auto network = network_dual();
  network.enable_ipv6 = false;
  auto done = bridge->validate(network);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().hint, "add --ipv6");
}

TEST(BridgeValidate, RefusesANetworkWithoutAnyFamily) {
  auto network = network_spec{};
  network.enable_ipv4 = false;
  EXPECT_FALSE(bridge->validate(network));
}

TEST(BridgeValidate, ChecksTheGatewayThatContainersAreTold) {
  auto network = network_v4();
  auto& gateway = network.pools[0].aux_addresses["DefaultGatewayIPv4"];
  gateway = ip("10.1.0.9");
  EXPECT_TRUE(bridge->validate(network));
  gateway = ip("10.2.0.9");
  EXPECT_FALSE(bridge->validate(network));
}

TEST(BridgeValidate, RefusesToBuildAnIpv4NetworkWithoutAPool) {
  auto machine = host{};
  auto network = network_v4();
  network.pools.clear();
  auto done
    = drivers::make("bridge", owner)->create_network(*machine.kernel, network);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ec::invalid_argument);
  EXPECT_EQ(done.error().message, "ipv4 pool is empty");
}

TEST(BridgeConflict, NamesBothNetworksAndWhatTheyShare) {
  auto one = network_v4('a');
  auto two = network_v4('b');
  two.pools = {pool("10.1.128.0/24", "10.1.128.1")}; // BR-16
  auto done = bridge->check_conflict(two, one);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ec::conflict);
  EXPECT_EQ(done.error().message,
            "cannot create network net-b (br-bbbbbbbbbbbb): conflicts with "
            "network net-a (br-aaaaaaaaaaaa): networks have overlapping IPv4");
}

TEST(BridgeConflict, SeesOverlappingIpv6) {
  auto one = network_dual('a');
  auto two = network_dual('b');
  two.pools[0] = pool("10.2.0.0/16", "10.2.0.1");
  auto done = bridge->check_conflict(two, one);
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message.find("overlapping IPv6"), std::string::npos);
}

TEST(BridgeConflict, SeesTheSameBridge) { // BR-17
  auto one = network_v4('a');
  auto two = network_v4('b');
  two.pools = {pool("10.2.0.0/16", "10.2.0.1")};
  EXPECT_TRUE(bridge->check_conflict(two, one));
  one.options["name"] = "br7";
  two.options["com.docker.network.bridge.name"] = "br7";
  auto done = bridge->check_conflict(two, one);
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message.find("same bridge name"), std::string::npos);
}

TEST(BridgeValidate, RefusesMulticastMacs) {
  auto endpoint = endpoint_spec{};
  endpoint.mac = mac_address::parse("aa:bb:cc:dd:ee:ff").value(); // BR-14
  EXPECT_TRUE(bridge->validate_endpoint(network_v4(), endpoint));
  endpoint.mac = mac_address::parse("01:00:5e:00:00:01").value();
  EXPECT_FALSE(bridge->validate_endpoint(network_v4(), endpoint));
  endpoint.mac = mac_address{};
  EXPECT_FALSE(bridge->validate_endpoint(network_v4(), endpoint));
}

TEST(BridgeValidate, RefusesAddressesOutsideTheNetwork) {
  auto endpoint = endpoint_spec{};
  endpoint.ipv4 = ip("10.1.7.7");
  EXPECT_TRUE(bridge->validate_endpoint(network_v4(), endpoint));
  endpoint.ipv4 = ip("10.2.0.7");
  EXPECT_FALSE(bridge->validate_endpoint(network_v4(), endpoint));
  endpoint.ipv4.reset();
  endpoint.ipv6 = ip("fd00:1::7");
  EXPECT_FALSE(bridge->validate_endpoint(network_v4(), endpoint));
  EXPECT_TRUE(bridge->validate_endpoint(network_dual(), endpoint));
}

} // namespace

} // namespace troupe::test
