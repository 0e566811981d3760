#include "troupe/drivers/uplink.hpp"

#include "fixture.hpp"

namespace troupe::test {

namespace {

class Uplink : public ::testing::Test {
protected:
  host machine;

  /// A card with that MTU and addresses of both families.
  int add_card(const std::string& name, uint32_t mtu_bytes) {
    auto index = machine.world->add_hardware(name);
    auto change = netns::link_change{};
    change.mtu_bytes = mtu_bytes;
    EXPECT_TRUE(machine.kernel->set_link(index, change));
    auto number = std::to_string(index);
    for (const auto& text :
         {"192.0." + number + ".2/24", "fd00:" + number + "::2/64"})
      EXPECT_TRUE(machine.kernel->add_address(index, cidr(text)));
    return index;
  }

  void add_default(int index, ip_family family, uint32_t metric) {
    auto number = std::to_string(index);
    auto gateway = family == ip_family::v4 ? "192.0." + number + ".1"
                                           : "fd00:" + number + "::1";
    auto route = netns::route_info{};
    route.family = family;
    route.gateway = ip(gateway);
    route.index = index;
    route.metric = metric;
    EXPECT_TRUE(machine.kernel->add_route(route));
  }

  uint32_t mtu() {
    return drivers::uplink_mtu(*machine.kernel).value();
  }
};

TEST_F(Uplink, IsNoneWithoutADefaultRoute) {
  add_card("eth0", 1450);
  EXPECT_EQ(mtu(), 0U);
}

TEST_F(Uplink, IsTheLinkOfTheBestDefaultRoute) {
  add_default(add_card("eth0", 1450), ip_family::v4, 100);
  EXPECT_EQ(mtu(), 1450U);
  add_default(add_card("wlan0", 1400), ip_family::v4, 600);
  EXPECT_EQ(mtu(), 1450U);
  add_default(add_card("tun0", 1420), ip_family::v4, 50);
  EXPECT_EQ(mtu(), 1420U);
}

TEST_F(Uplink, IsTheSmallerOneOfBothFamilies) {
  add_default(add_card("eth0", 9000), ip_family::v4, 0);
  add_default(add_card("sit0", 1480), ip_family::v6, 1024);
  EXPECT_EQ(mtu(), 1480U);
}

TEST_F(Uplink, OfIpv6AloneCounts) {
  add_default(add_card("eth0", 1460), ip_family::v6, 1024);
  EXPECT_EQ(mtu(), 1460U);
}

} // namespace

} // namespace troupe::test
