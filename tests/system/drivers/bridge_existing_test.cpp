#include "fixture.hpp"

namespace troupe::test {

namespace {

class BridgeExisting : public bridge_system {
protected:
  void use(const std::string& name) {
    network.options["name"] = name;
  }
};

TEST_F(BridgeExisting, IsUsedAndGivenBack) {
  auto index = host_bridge("br0");
  auto state = netns::link_change{};
  state.alias = "rack 7";
  change(*kernel, "br0", state);
  ASSERT_TRUE(kernel->add_address(index, cidr("192.0.2.9/24")));
  ASSERT_TRUE(kernel->set_sysctl(netns::sysctl::ipv6_disable, "br0", 1));
  pristine = snapshot();
  use("br0");
  build(2);
  expect_connected();
  expect_host_reachable();
  EXPECT_EQ(kernel->link(index)->mtu_bytes, 9000U);
  EXPECT_EQ(to_string(kernel->link(index)->mac), "02:09:09:09:09:09");
  EXPECT_EQ(complaints(), std::vector<std::string>{});
}

TEST_F(BridgeExisting, KeepsAnAddressThatIsTheGateway) {
  auto index = host_bridge("br0");
  auto up = netns::link_change{};
  up.up = true;
  change(*kernel, "br0", up);
  ASSERT_TRUE(kernel->add_address(index, cidr("10.1.0.1/16")));
  pristine = snapshot();
  use("br0");
  build(2);
  expect_host_reachable();
}

TEST_F(BridgeExisting, IsRefusedIfItIsNoBridge) { // BR-07
  use("lo");
  auto done = driver->create_network(*kernel, network);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().message, "existing interface lo is not a bridge");
}

TEST_F(BridgeExisting, IsRefusedUnderAGeneratedName) {
  host_bridge("br-abcdef012345");
  pristine = snapshot();
  auto done = driver->create_network(*kernel, network);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ec::conflict);
}

TEST_F(BridgeExisting, IsMadeIfItIsNotThere) {
  use("br7");
  build(2);
  expect_connected();
}

TEST_F(BridgeExisting, IsFoundAndReleasedWithoutARecord) {
  host_bridge("br0");
  pristine = snapshot();
  use("br0");
  create_network();
  auto found = driver->list(*kernel).value();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].brief_id, network.id.brief());
  auto done = driver->remove_found(*kernel, found);
  ASSERT_TRUE(done) << text(done);
  EXPECT_EQ(snapshot(), pristine);
}

} // namespace

} // namespace troupe::test
