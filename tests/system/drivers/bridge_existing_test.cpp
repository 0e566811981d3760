#include "fixture.hpp"
#include <cstdlib>

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

// Ours is the first of its subnet; the kernel would take the others with it.
TEST_F(BridgeExisting, KeepsTheUsersAddressesOfOurSubnet) {
  auto index = host_bridge("br0");
  auto up = netns::link_change{};
  up.up = true;
  change(*kernel, "br0", up);
  auto shell = [](const std::string& line) {
    ASSERT_EQ(std::system(line.c_str()), 0) << line;
  };
  const auto setting
    = std::string{"/proc/sys/net/ipv4/conf/br0/promote_secondaries"};
  for (auto text : {std::string{"0"}, std::string{"1"}}) {
    shell("echo " + text + " > " + setting);
    pristine = snapshot();
    use("br0");
    create_network();
    shell("ip address add 10.1.0.5/16 brd + dev br0 label br0:web");
    shell("ip address add 10.1.0.6/16 dev br0 valid_lft 3600 preferred_lft "
          "1800");
    auto done = driver->remove_network(*kernel, network);
    ASSERT_TRUE(done) << troupe::test::text(done);
    EXPECT_EQ(kernel->addresses(index)->size(), 2U);
    shell("test $(cat " + setting + ") = " + text);
    // With all that they had, and the subnet's route.
    shell("ip -o -4 address show dev br0 | grep -q '10.1.0.5/16 brd "
          "10.1.255.255 .*br0:web'");
    shell("ip -o -4 address show dev br0 | grep '10.1.0.6/16' | grep -q "
          "'preferred_lft 1[78][0-9][0-9]sec'");
    shell("ip route show 10.1.0.0/16 | grep -q 'dev br0 .*src 10.1.0.5'");
    shell("ip address flush dev br0");
    EXPECT_EQ(snapshot(), pristine);
  }
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
