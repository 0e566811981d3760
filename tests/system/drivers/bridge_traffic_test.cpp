#include "fixture.hpp"

namespace troupe::test {

namespace {

class BridgeTraffic : public bridge_system {};

TEST_F(BridgeTraffic, PassesBetweenSandboxesAndTheHost) {
  build(2);
  expect_connected();
  expect_host_reachable();
  EXPECT_EQ(complaints(), std::vector<std::string>{});
}

TEST_F(BridgeTraffic, ReachesTheHostOnlyWithoutIcc) {
  network.options["icc"] = "false";
  build(2);
  expect_host_reachable();
  expect_connected(false);
}

TEST_F(BridgeTraffic, PassesOnAnInternalNetworkWithoutDefaultRoutes) {
  network.internal = true;
  build(2);
  expect_connected();
  expect_host_reachable(); // BR-50
  EXPECT_TRUE(inside(1)->routes()->empty());
}

TEST_F(BridgeTraffic, PassesInIsolatedMode) { // BR-29
  network.internal = true;
  network.options
    = {{"gateway_mode_ipv4", "isolated"}, {"gateway_mode_ipv6", "isolated"}};
  build(2);
  expect_connected();
  auto index = kernel->link_index("br-abcdef012345").value();
  EXPECT_TRUE(kernel->addresses(index)->empty());
}

TEST_F(BridgeTraffic, DoesNotStopWhileEverythingIsCreatedAgain) {
  build(2);
  expect_connected();
  auto before = snapshot();
  create_network();
  for (const auto& plan : plans)
    create(plan);
  EXPECT_EQ(snapshot(), before);
  expect_connected();
}

TEST_F(BridgeTraffic, GoesOutByTheDefaultRoutes) {
  build(1);
  auto routes = inside(1)->routes().value();
  ASSERT_EQ(routes.size(), 2U);
  for (const auto& x : routes) {
    EXPECT_FALSE(x.destination);
    EXPECT_EQ(x.gateway,
              x.family == ip_family::v4 ? ip("10.1.0.1") : ip("fd00:1::1"));
  }
}

TEST_F(BridgeTraffic, HasNoIpv6WhereTheNetworkHasNone) {
  network.enable_ipv6 = false;
  network.pools.pop_back();
  build(2);
  auto a = plans[0].where.ns.path;
  auto b = plans[1].where.ns.path;
  EXPECT_TRUE(can_reach(a, b, ip("10.1.0.3")));
  for (const auto* link : {"lo", "eth0"})
    EXPECT_EQ(inside(1)->read_sysctl(netns::sysctl::ipv6_disable, link), 1);
}

TEST_F(BridgeTraffic, LeavesSandboxesAsTheyWereWhenEndpointsGo) {
  build(1);
  auto done = driver->remove_endpoints(*kernel, plans);
  ASSERT_TRUE(done) << text(done);
  EXPECT_EQ(inside(1)->links()->size(), 1U);
  EXPECT_EQ(inside(1)->read_sysctl(netns::sysctl::ipv6_disable, "lo"), 1);
  EXPECT_TRUE(inside(1)->routes()->empty());
}

TEST_F(BridgeTraffic, LeavesNoDescriptorOpen) {
  build(1); // Opens whatever is opened once.
  auto before = open_descriptors();
  for (auto i = 0; i < 5; ++i) {
    ASSERT_TRUE(driver->remove_endpoints(*kernel, plans));
    create(plans.front());
  }
  EXPECT_EQ(open_descriptors(), before);
}

} // namespace

} // namespace troupe::test
