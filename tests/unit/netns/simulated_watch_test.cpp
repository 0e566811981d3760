#include "troupe/netns/simulated/watch.hpp"
#include "troupe/tests/unit/netns/kernel_contract.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

namespace troupe::test {

namespace {

using netns::kernel_event;
using kind = kernel_event::kind;
using std::chrono_literals::operator""ms;

/// A machine with the bridge `br0`, watched from then on.
class SimulatedWatch : public ::testing::Test {
protected:
  void SetUp() override {
    auto request = netns::bridge_request{};
    request.name = "br0";
    request.group = 7;
    bridge_ = kernel_->add_bridge(request).value();
    watch_ = std::make_unique<netns::simulated_watch>(world_);
  }

  std::vector<kernel_event> events() {
    return watch_->wait(0ms).value();
  }

  std::vector<kind> kinds() {
    auto result = std::vector<kind>{};
    auto all = events();
    for (const auto& x : all)
      result.push_back(x.what);
    return result;
  }

  std::shared_ptr<netns::simulated_world> world_
    = std::make_shared<netns::simulated_world>("/pins");
  std::unique_ptr<netns::kernel> kernel_ = open_simulated_kernel(world_);
  std::unique_ptr<netns::simulated_watch> watch_;
  int bridge_ = 0;
};

} // namespace

TEST_F(SimulatedWatch, SaysNothingWhenNothingChanges) {
  EXPECT_TRUE(events().empty());
  auto change = netns::link_change{};
  change.up = false;
  change.group = 7;
  ASSERT_TRUE(works(kernel_->set_link(bridge_, change)));
  EXPECT_TRUE(events().empty());
}

TEST_F(SimulatedWatch, NamesTheLinkThatChanged) {
  auto change = netns::link_change{};
  change.up = true;
  ASSERT_TRUE(works(world_->change_link("", "br0", change)));
  EXPECT_EQ(events(), (std::vector{kernel_event{kind::link_changed, bridge_,
                                                "br0", 7, ""}}));
  ASSERT_TRUE(works(world_->delete_link("", "br0")));
  EXPECT_EQ(events(), (std::vector{kernel_event{kind::link_removed, bridge_,
                                                "br0", 7, ""}}));
}

TEST_F(SimulatedWatch, TellsAddressesAndRoutes) {
  auto change = netns::link_change{};
  change.up = true;
  ASSERT_TRUE(works(kernel_->set_link(bridge_, change)));
  events();
  ASSERT_TRUE(works(kernel_->add_address(bridge_, cidr("fd00::1/64"))));
  EXPECT_EQ(kinds(), std::vector{kind::address_changed});
  auto route = netns::route_info{};
  route.destination = net("10.1.0.0/16");
  route.index = bridge_;
  ASSERT_TRUE(works(kernel_->add_route(route)));
  EXPECT_EQ(kinds(), std::vector{kind::route_changed});
  // One for each route: that one, and the one to the address's subnet.
  ASSERT_TRUE(works(world_->flush_routes("")));
  EXPECT_EQ(kinds(), (std::vector{kind::route_changed, kind::route_changed}));
  ASSERT_TRUE(
    works(kernel_->set_sysctl(netns::sysctl::ipv6_disable, "br0", 1)));
  EXPECT_EQ(kinds(), std::vector{kind::address_changed});
}

TEST_F(SimulatedWatch, TellsPinsAndWhatHappensBehindThem) {
  auto ref = open_simulated_kernel(world_)->create_namespace("a").value();
  auto made = events();
  ASSERT_FALSE(made.empty());
  EXPECT_EQ(made.back().what, kind::namespaces_changed);
  EXPECT_EQ(made.back().namespace_path, "/pins/a");
  auto request = netns::veth_request{};
  request.name = "v0";
  request.peer_name = "eth0";
  request.peer_namespace = ref;
  ASSERT_TRUE(works(kernel_->add_veth(request)));
  auto all = events();
  EXPECT_TRUE(std::ranges::any_of(all, [](const auto& x) {
    return x.link_name == "eth0" && x.namespace_path == "/pins/a";
  }));
  EXPECT_TRUE(std::ranges::any_of(all, [](const auto& x) {
    return x.link_name == "v0" && x.namespace_path.empty();
  }));
  ASSERT_TRUE(works(world_->unmount_pin("a")));
  all = events();
  EXPECT_TRUE(std::ranges::any_of(all, [](const auto& x) {
    return x.what == kind::namespaces_changed && x.namespace_path == "/pins/a";
  }));
  EXPECT_TRUE(std::ranges::any_of(all, [](const auto& x) {
    return x.what == kind::link_removed && x.link_name == "v0";
  }));
}

TEST_F(SimulatedWatch, TellsThePortsOfADeletedBridge) {
  auto ref = kernel_->create_namespace("a").value();
  auto request = netns::veth_request{};
  request.name = "v0";
  request.master = bridge_;
  request.peer_name = "eth0";
  request.peer_namespace = ref;
  ASSERT_TRUE(works(kernel_->add_veth(request)));
  events();
  ASSERT_TRUE(works(world_->delete_link("", "br0")));
  EXPECT_EQ(kinds(), (std::vector{kind::link_changed, kind::link_removed}));
}

TEST_F(SimulatedWatch, OverflowsByItselfAndOnDemand) {
  watch_->overflow();
  EXPECT_EQ(kinds(), std::vector{kind::overflow});
  constexpr int too_many = 3000; // Two events each.
  auto change = netns::link_change{};
  for (int i = 0; i < too_many; ++i)
    for (auto up : {true, false}) {
      change.up = up;
      ASSERT_TRUE(works(kernel_->set_link(bridge_, change)));
    }
  EXPECT_EQ(kinds(), std::vector{kind::overflow});
  change.up = true;
  ASSERT_TRUE(works(kernel_->set_link(bridge_, change)));
  EXPECT_EQ(kinds(), std::vector{kind::link_changed});
}

TEST_F(SimulatedWatch, InterruptEndsTheNextWaitAndKeepsTheEvents) {
  ASSERT_TRUE(works(world_->delete_link("", "br0")));
  watch_->interrupt();
  EXPECT_TRUE(watch_->wait(std::chrono::hours{1}).value().empty());
  EXPECT_EQ(kinds(), std::vector{kind::link_removed});
}

TEST_F(SimulatedWatch, WakesUpAWaitingThread) {
  auto seen = std::vector<kernel_event>{};
  auto waiter = std::thread{[&] {
    seen = watch_->wait(std::chrono::hours{1}).value();
  }};
  ASSERT_TRUE(works(world_->delete_link("", "br0")));
  waiter.join();
  EXPECT_EQ(seen.size(), 1U);
}

TEST_F(SimulatedWatch, TwoWatchesSeeTheSame) {
  auto other = netns::simulated_watch{world_};
  ASSERT_TRUE(works(world_->delete_link("", "br0")));
  EXPECT_EQ(other.wait(0ms).value(), events());
  watch_.reset();
  ASSERT_TRUE(works(kernel_->create_namespace("a")));
  EXPECT_FALSE(other.wait(0ms).value().empty());
}

} // namespace troupe::test
