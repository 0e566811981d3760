#include "fixture.hpp"
#include <chrono>
#include <thread>

namespace troupe::test {

namespace {

class BridgeMend : public bridge_system {
protected:
  void SetUp() override {
    bridge_system::SetUp();
    if (!IsSkipped() && !HasFatalFailure())
      build(2);
  }

  void mend_and_check() {
    EXPECT_FALSE(complaints().empty());
    create_network();
    for (const auto& plan : plans)
      create(plan);
    // The kernel makes local IPv6 routes a moment after their address.
    auto left = complaints();
    for (auto i = 0; i < 100 && !left.empty(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds{20});
      left = complaints();
    }
    EXPECT_EQ(left, std::vector<std::string>{});
    expect_connected();
    expect_host_reachable();
  }
};

TEST_F(BridgeMend, RestoresAHostEndThatWasChanged) {
  auto damage = netns::link_change{};
  damage.up = false;
  damage.mtu_bytes = 1400;
  damage.master = 0;
  damage.group = 0;
  damage.name = "stolen";
  change(*kernel, host_end(1), damage);
  mend_and_check();
}

TEST_F(BridgeMend, RestoresAPeerThatWasChanged) {
  auto damage = netns::link_change{};
  damage.up = false;
  damage.mtu_bytes = 1400;
  damage.name = "stolen";
  change(*inside(1), "eth0", damage);
  mend_and_check();
}

TEST_F(BridgeMend, RestoresAMac) {
  auto damage = netns::link_change{};
  damage.mac = mac_address{{2, 1, 1, 1, 1, 1}};
  change(*inside(1), "eth0", damage);
  mend_and_check();
}

TEST_F(BridgeMend, RestoresAddressesAndRoutes) {
  auto box = inside(1);
  auto index = box->link_index("eth0").value();
  auto addresses = box->addresses(index).value();
  for (const auto& x : addresses)
    ASSERT_TRUE(box->del_address(index, x));
  mend_and_check();
}

TEST_F(BridgeMend, RestoresADeletedPair) {
  ASSERT_TRUE(kernel->del_link(kernel->link_index(host_end(1)).value()));
  mend_and_check();
}

TEST_F(BridgeMend, RestoresADeletedBridge) {
  ASSERT_TRUE(kernel->del_link(kernel->link_index("br-abcdef012345").value()));
  mend_and_check();
}

TEST_F(BridgeMend, RestoresABridgeThatWasChanged) {
  auto damage = netns::link_change{};
  damage.up = false;
  damage.mtu_bytes = 1400;
  damage.mac = mac_address{{2, 1, 1, 1, 1, 1}};
  damage.name = "stolen";
  change(*kernel, "br-abcdef012345", damage);
  mend_and_check();
}

TEST_F(BridgeMend, BuildsAgainInANamespaceThatWasReplaced) {
  // The old namespace lives on, held by somebody who entered it.
  auto held = inside(1);
  ASSERT_TRUE(kernel->remove_namespace("box-1"));
  plans[0].where.ns = sandbox("box-1");
  mend_and_check();
  EXPECT_FALSE(held->link_index("eth0"));
}

} // namespace

} // namespace troupe::test
