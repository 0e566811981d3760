#include "troupe/drivers/steps.hpp"

#include "fixture.hpp"

namespace troupe::test {

namespace {

/// A link of somebody's, and the steps that change it.
class Steps : public ::testing::Test {
protected:
  host machine;
  int index = machine.foreign_bridge("br0");
  std::string before = machine.print();

  netns::link_info link() {
    return machine.kernel->link(index).value();
  }
};

TEST_F(Steps, ChangeOnlyWhatDiffers) {
  auto undo = netns::undo_stack{};
  auto change = netns::link_change{};
  change.mtu_bytes = 9000;
  change.up = true;
  EXPECT_TRUE(drivers::change_link(*machine.kernel, undo, link(), change));
  EXPECT_EQ(machine.print(), before);
}

TEST_F(Steps, AreUndoneInReverseOrder) {
  {
    auto undo = netns::undo_stack{};
    auto change = netns::link_change{};
    change.mtu_bytes = 1400;
    change.alias = "hello";
    change.name = "br1";
    ASSERT_TRUE(drivers::change_link(*machine.kernel, undo, link(), change));
    auto wanted = std::vector{cidr("10.1.0.1/16"), cidr("fd00::1/64")};
    ASSERT_TRUE(
      drivers::add_missing_addresses(*machine.kernel, undo, index, wanted));
    ASSERT_TRUE(drivers::change_default_route(*machine.kernel, undo, index,
                                              ip("10.1.0.9")));
    ASSERT_TRUE(drivers::change_default_route(*machine.kernel, undo, index,
                                              ip("10.1.0.8")));
    ASSERT_TRUE(drivers::change_sysctl(
      *machine.kernel, undo, netns::sysctl::ipv6_accept_ra, "br1", 0));
    EXPECT_NE(machine.print(), before);
  }
  EXPECT_EQ(machine.print(), before);
}

TEST_F(Steps, StayWhenCommitted) {
  {
    auto undo = netns::undo_stack{};
    auto wanted = std::vector{cidr("10.1.0.1/16")};
    ASSERT_TRUE(
      drivers::add_missing_addresses(*machine.kernel, undo, index, wanted));
    undo.commit();
  }
  EXPECT_EQ(machine.link("", "br0").addresses.size(), 1U);
}

TEST_F(Steps, LeaveADefaultRouteOfAnotherMetric) {
  auto undo = netns::undo_stack{};
  auto wanted = std::vector{cidr("10.1.0.1/16")};
  ASSERT_TRUE(
    drivers::add_missing_addresses(*machine.kernel, undo, index, wanted));
  auto other = netns::route_info{};
  other.gateway = ip("10.1.0.7");
  other.index = index;
  other.metric = 500;
  ASSERT_TRUE(machine.kernel->add_route(other));
  ASSERT_TRUE(drivers::change_default_route(*machine.kernel, undo, index,
                                            ip("10.1.0.9")));
  EXPECT_EQ(machine.kernel->routes()->size(), 2U);
  undo.commit();
}

TEST_F(Steps, ReplaceAnAddressOfAnotherLength) {
  ASSERT_TRUE(machine.kernel->add_address(index, cidr("fd00::1/48")));
  auto undo = netns::undo_stack{};
  auto wanted = std::vector{cidr("fd00::1/64")};
  ASSERT_TRUE(
    drivers::add_missing_addresses(*machine.kernel, undo, index, wanted));
  EXPECT_EQ(machine.link("", "br0").addresses, wanted);
  undo.commit();
}

} // namespace

} // namespace troupe::test
