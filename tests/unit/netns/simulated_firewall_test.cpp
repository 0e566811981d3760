#include "troupe/netns/faulty/kernel.hpp"
#include "troupe/netns/simulated/kernel.hpp"
#include "troupe/netns/simulated/watch.hpp"
#include "troupe/tests/unit/netns/kernel_contract.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

namespace troupe::test {

namespace {

using netns::firewall::element_change;
using netns::firewall::make_element;
using netns::firewall::set_id;

element_change unguarded(const char* name) {
  return {true,
          make_element(set_id::unguarded, {std::string_view{name}}).value()};
}

/// What others do to a simulated firewall, and what faults do.
class SimulatedFirewall : public ::testing::Test {
protected:
  void SetUp() override {
    ASSERT_TRUE(works(kernel_->load_firewall(firewall_settings(), {})));
  }

  bool is_told() {
    auto events = watch_.wait(std::chrono::milliseconds{0}).value();
    return std::ranges::any_of(events, [](const auto& x) {
      return x.what == netns::kernel_event::kind::firewall_changed;
    });
  }

  size_t count() {
    return kernel_->list_elements(firewall_table).value().size();
  }

  std::shared_ptr<netns::simulated_world> world_
    = std::make_shared<netns::simulated_world>();
  std::shared_ptr<netns::fault_plan> plan_
    = std::make_shared<netns::fault_plan>();
  std::unique_ptr<netns::kernel> kernel_
    = open_faulty_kernel(netns::open_simulated_kernel(world_), plan_);
  netns::simulated_watch watch_{world_};
};

TEST_F(SimulatedFirewall, TellsOfChangesByOthersOnly) {
  auto changes = std::vector{unguarded("a")};
  ASSERT_TRUE(works(kernel_->change_elements(firewall_table, changes)));
  EXPECT_FALSE(is_told());
  changes[0].add = false;
  ASSERT_TRUE(works(world_->change_elements("", firewall_table, changes)));
  EXPECT_TRUE(is_told());
  ASSERT_TRUE(works(world_->flush_ruleset("")));
  EXPECT_TRUE(is_told());
  EXPECT_TRUE(fails_with(ENOENT, kernel_->list_elements(firewall_table)));
}

TEST_F(SimulatedFirewall, ListsForeignChains) {
  auto chain = netns::firewall::foreign_chain{"ip", "filter", "FORWARD", 0};
  ASSERT_TRUE(works(world_->add_foreign_chain("", chain)));
  EXPECT_EQ(kernel_->forward_blockers().value(), std::vector{chain});
}

TEST_F(SimulatedFirewall, TracksConnectionsUntilTheyAreFlushed) {
  auto x = netns::connection_info{};
  x.proto = protocol::udp;
  x.client = ip("192.0.2.2");
  x.host = ip("192.0.2.1");
  x.host_port = 53;
  x.server = ip("10.1.0.2");
  x.server_port = 5353;
  x.answered = true;
  auto is_flushed_by = [&](auto change) {
    EXPECT_TRUE(works(world_->track("", x)));
    auto filter = netns::conntrack_filter{};
    filter.proto = protocol::udp;
    filter.host_port = 53;
    change(filter);
    EXPECT_TRUE(works(kernel_->flush_conntrack({&filter, 1})));
    auto gone = kernel_->connections().value().empty();
    filter = {};
    filter.address = x.client;
    EXPECT_TRUE(works(kernel_->flush_conntrack({&filter, 1})));
    EXPECT_TRUE(kernel_->connections().value().empty());
    return gone;
  };
  EXPECT_TRUE(is_flushed_by([](auto&) {}));
  EXPECT_TRUE(is_flushed_by([&](auto& f) {
    f.address = x.server;
    f.server = x.server;
    f.server_port = 5353;
    f.host_address = x.host;
  }));
  EXPECT_FALSE(is_flushed_by([&](auto& f) {
    f.address = x.host;
  }));
  EXPECT_FALSE(is_flushed_by([&](auto& f) {
    f.server = x.host;
  }));
  EXPECT_FALSE(is_flushed_by([&](auto& f) {
    f.host_address = x.server;
  }));
  EXPECT_FALSE(is_flushed_by([](auto& f) {
    f.server_port = 53;
  }));
  EXPECT_FALSE(is_flushed_by([](auto& f) {
    f.host_port = 54;
  }));
  EXPECT_FALSE(is_flushed_by([](auto& f) {
    f.proto = protocol::tcp;
  }));
  EXPECT_FALSE(is_flushed_by([](auto& f) {
    f.family = ip_family::v6;
  }));
  EXPECT_FALSE(is_flushed_by([](auto& f) {
    f.untranslated = true;
  }));
  EXPECT_FALSE(is_flushed_by([](auto& f) {
    f.unanswered = true;
  }));
}

TEST_F(SimulatedFirewall, AFailedChangeChangesNothingALostAnswerEverything) {
  auto changes = std::vector{unguarded("a"), unguarded("b")};
  auto rule = netns::fault_rule{};
  rule.on = netns::call::change_elements;
  rule.os_error = ENOBUFS;
  plan_->add(rule);
  EXPECT_TRUE(
    fails_with(ENOBUFS, kernel_->change_elements(firewall_table, changes)));
  EXPECT_EQ(count(), 0U);
  rule.what = netns::fault_rule::effect::lose_reply;
  plan_->clear();
  plan_->add(rule);
  EXPECT_TRUE(
    fails_with(ENOBUFS, kernel_->change_elements(firewall_table, changes)));
  EXPECT_EQ(count(), 2U);
}

} // namespace

} // namespace troupe::test
