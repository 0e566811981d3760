#include "fixture.hpp"

namespace troupe::test {

namespace {

class Objectless : public ::testing::TestWithParam<std::string_view> {
protected:
  std::unique_ptr<drivers::driver> driver = drivers::make(GetParam(), owner);
  network_spec network;
};

TEST_P(Objectless, HasOneNetworkWithoutAddresses) {
  EXPECT_FALSE(driver->features().uses_addresses);
  EXPECT_TRUE(driver->features().single_network);
  EXPECT_FALSE(driver->features().uses_firewall);
  EXPECT_EQ(driver->features().host_namespace, GetParam() == "host");
}

TEST_P(Objectless, RefusesSubnets) {
  network.pools = {pool("10.1.0.0/16", "10.1.0.1")};
  auto done = driver->validate(network);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ec::invalid_argument);
}

TEST_P(Objectless, RefusesAddressesAndMacs) {
  auto endpoint = endpoint_spec{};
  EXPECT_TRUE(driver->validate_endpoint(network, endpoint));
  endpoint.ipv4 = ip("10.1.0.5");
  EXPECT_FALSE(driver->validate_endpoint(network, endpoint));
  endpoint.ipv4.reset();
  endpoint.mac = mac_address::random();
  EXPECT_FALSE(driver->validate_endpoint(network, endpoint));
}

TEST_P(Objectless, RefusesASecondNetwork) { // LN-04
  auto second = network_spec{};
  network.name = "one";
  second.name = "two";
  auto done = driver->check_conflict(second, network);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ec::forbidden);
  EXPECT_NE(done.error().message.find("one"), std::string::npos);
}

TEST_P(Objectless, TouchesNothing) {
  auto machine = host{};
  auto plan = plan_for(network, machine.sandbox("box"));
  auto before = netns::fingerprint(*machine.world, true);
  EXPECT_TRUE(driver->create_network(*machine.kernel, network));
  EXPECT_TRUE(driver->create_endpoint(*machine.kernel, plan));
  EXPECT_EQ(netns::fingerprint(*machine.world, true), before);
}

INSTANTIATE_TEST_SUITE_P(Drivers, Objectless, ::testing::Values("host", "null"),
                         [](const auto& x) {
                           return std::string{x.param};
                         });

} // namespace

} // namespace troupe::test
