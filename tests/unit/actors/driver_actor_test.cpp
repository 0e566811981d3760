#include "troupe/actors/api/log.hpp"
#include "troupe/actors/services/driver.hpp"
#include "troupe/netns/faulty/kernel.hpp"
#include "troupe/tests/unit/drivers/fixture.hpp"

#include <spdlog/sinks/ringbuffer_sink.h>

#include "scripted_system.hpp"

namespace troupe::test {

namespace {

using netns::call;
using netns::fault_rule;

/// Longer than a driver waits before it tries a failed raze again.
constexpr auto retry_time = std::chrono::milliseconds{600};

/// The bridge driver's actor with one network and two sandboxes.
struct driver_actor_test : testing::Test {
  driver_actor_test() {
    scripted.context->parts.open_kernel = netns::faulty_kernel_factory(
      netns::simulated_kernel_factory(machine.world), plan);
    driver = scripted.keep(
      spawn_driver(scripted.system, scripted.context, "bridge"));
    auto built = scripted.ask<done>(driver, build_network{network_v4()});
    scripted.run();
    EXPECT_EQ(built->text(), "ok");
    for (auto n : {1U, 2U})
      plans.push_back(
        plan_for(network_v4(), machine.sandbox("box" + std::to_string(n)), n));
    bare = machine.print();
    for (const auto& x : plans)
      EXPECT_EQ(build(x), "ok");
    plan->reset_counters();
  }

  std::string build(const drivers::endpoint_plan& x) {
    auto built = scripted.ask<done>(driver, build_endpoint{x});
    scripted.run();
    return built->text();
  }

  /// From now on nothing can be deleted.
  void fail_deletions() {
    for (auto what : {call::del_link, call::del_group}) {
      auto rule = fault_rule{};
      rule.on = what;
      rule.for_ever = true;
      rule.os_error = EBUSY;
      plan->add(rule);
    }
  }

  size_t deletions() const {
    return plan->calls(call::del_link) + plan->calls(call::del_group);
  }

  host machine;
  std::shared_ptr<netns::fault_plan> plan
    = std::make_shared<netns::fault_plan>();
  scripted_system scripted;
  driver_actor driver;
  std::vector<drivers::endpoint_plan> plans;
  std::string bare; ///< The machine without endpoints.
};

TEST_F(driver_actor_test, RazesThatWaitAreOneDeletion) {
  auto first = scripted.ask<done>(driver, raze_endpoint{plans[0]});
  auto second = scripted.ask<done>(driver, raze_endpoint{plans[1]});
  scripted.run();
  EXPECT_EQ(first->text() + second->text(), "okok");
  EXPECT_EQ(plan->calls(call::del_group), 1U);
  EXPECT_EQ(plan->calls(call::del_link), 0U);
  EXPECT_EQ(machine.print(), bare);
}

TEST_F(driver_actor_test, ARazeThatFailsIsTriedAgain) {
  fail_deletions();
  auto first = scripted.ask<done>(driver, raze_endpoint{plans[0]});
  auto second = scripted.ask<done>(driver, raze_endpoint{plans[1]});
  scripted.run();
  EXPECT_TRUE(first->why);
  EXPECT_TRUE(second->why);
  const auto tried = deletions();
  scripted.pass(retry_time);
  EXPECT_GT(deletions(), tried);
  EXPECT_NE(machine.print(), bare);
  plan->clear();
  scripted.pass(5 * retry_time); // the second pause is longer
  EXPECT_EQ(machine.print(), bare);
  // And then it is left alone.
  const auto done_with = plan->calls();
  scripted.pass(10 * retry_time);
  EXPECT_EQ(plan->calls(), done_with);
}

TEST_F(driver_actor_test, AnEndpointBuiltAgainIsNotTakenDownByAnOldRaze) {
  fail_deletions();
  auto razed = scripted.ask<done>(driver, raze_endpoint{plans[0]});
  scripted.run();
  EXPECT_TRUE(razed->why);
  plan->clear();
  ASSERT_EQ(build(plans[0]), "ok");
  const auto wanted = machine.print();
  scripted.pass(retry_time);
  EXPECT_EQ(machine.print(), wanted);
}

TEST_F(driver_actor_test, AnEndpointThatMovedIsNotTakenDownWithItsOldSandbox) {
  auto told = scripted.ask<done>(driver, expect_gone{{plans[0]}});
  scripted.run();
  EXPECT_EQ(told->text(), "ok");
  ASSERT_TRUE(machine.kernel->remove_namespace("box1"));
  auto moved = plans[0];
  moved.where.ns = machine.sandbox("box3");
  ASSERT_EQ(build(moved), "ok");
  const auto wanted = machine.print();
  scripted.pass(retry_time);
  EXPECT_EQ(machine.print(), wanted);
}

TEST_F(driver_actor_test, LinksThatOutliveTheirNamespaceAreRemoved) {
  // A process keeps the namespace, so its links stay.
  auto told = scripted.ask<done>(driver, expect_gone{{plans[0], plans[1]}});
  scripted.run();
  EXPECT_EQ(told->text(), "ok");
  EXPECT_NE(machine.print(), bare);
  scripted.pass(retry_time);
  EXPECT_EQ(machine.print(), bare);
}

TEST_F(driver_actor_test, ANetworkWhoseRemovalFailedIsTriedAgain) {
  auto razed = scripted.ask<done>(driver, raze_endpoint{plans[0]});
  auto other = scripted.ask<done>(driver, raze_endpoint{plans[1]});
  scripted.run();
  fail_deletions();
  auto removed = scripted.ask<done>(driver, raze_network{network_v4()});
  scripted.run();
  EXPECT_TRUE(removed->why);
  plan->clear();
  scripted.pass(retry_time);
  auto bridge = drivers::make("bridge", owner)->network_interface(network_v4());
  EXPECT_FALSE(machine.has_link("", bridge));
}

TEST_F(driver_actor_test, MendReportsAndRepairs) {
  const auto link
    = drivers::make("bridge", owner)->host_interface(plans[0].endpoint);
  ASSERT_TRUE(machine.world->delete_link("", link));
  auto mended = scripted.ask<mend_report>(driver, mend_endpoint{plans[0]});
  scripted.run();
  ASSERT_EQ(mended->text(), "ok");
  EXPECT_FALSE(mended->value->differences.empty());
  EXPECT_TRUE(machine.has_link("", link));
  mended = scripted.ask<mend_report>(driver, mend_endpoint{plans[0]});
  scripted.run();
  EXPECT_TRUE(mended->value->differences.empty());
}

// Without CAP_NET_RAW: each endpoint would say it, three times.
TEST_F(driver_actor_test, SaysOnceThatNeighboursAreNotTold) {
  auto rule = fault_rule{};
  rule.on = call::announce;
  rule.for_ever = true;
  rule.os_error = EPERM;
  plan->add(rule);
  const auto lines = std::make_shared<spdlog::sinks::ringbuffer_sink_mt>(64);
  const auto level = log().level();
  log().set_level(spdlog::level::warn);
  log().sinks().push_back(lines);
  for (const auto& x : plans) {
    auto announced
      = scripted.ask<done>(driver, announce_endpoint{.plan = x, .times = 0});
    scripted.run();
    EXPECT_EQ(announced->text(), "ok");
  }
  log().sinks().pop_back();
  log().set_level(level);
  auto said = 0;
  for (const auto& line : lines->last_formatted())
    said += line.find("neighbours may remember") != std::string::npos ? 1 : 0;
  EXPECT_EQ(said, 1);
}

// A question before anything is changed.
TEST_F(driver_actor_test, SaysWhetherANetworkCouldBeBuilt) {
  const auto card = machine.world->add_hardware("up0");
  ASSERT_TRUE(machine.kernel->add_address(card, cidr("192.168.7.5/24")));
  const auto before = machine.print();
  auto network = network_v4('b');
  network.pools = {pool("192.168.7.0/25", "192.168.7.1")};
  auto taken = scripted.ask<done>(driver, check_new_network{network});
  scripted.run();
  EXPECT_NE(taken->text().find("is also that of up0"), std::string::npos)
    << taken->text();
  network.pools = {pool("10.2.0.0/16", "10.2.0.1")};
  auto free = scripted.ask<done>(driver, check_new_network{network});
  scripted.run();
  EXPECT_EQ(free->text(), "ok");
  network.options["name"] = "up0";
  auto no_bridge = scripted.ask<done>(driver, check_new_network{network});
  scripted.run();
  EXPECT_NE(no_bridge->text().find("is not a bridge"), std::string::npos);
  EXPECT_EQ(machine.print(), before);
}

TEST_F(driver_actor_test, EveryRequestIsToldWhyTheKernelDidNotOpen) {
  scripted.context->parts.open_kernel
    = []() -> result<std::unique_ptr<netns::kernel>> {
    return fail(ec::forbidden, "open netlink: not permitted");
  };
  auto broken
    = scripted.keep(spawn_driver(scripted.system, scripted.context, "bridge"));
  auto built = scripted.ask<done>(broken, build_endpoint{plans[0]});
  auto razed = scripted.ask<done>(broken, raze_endpoint{plans[0]});
  auto mended = scripted.ask<mend_report>(broken, mend_endpoint{plans[0]});
  auto listed = scripted.ask<routed_subnets>(broken, list_routed_subnets{});
  scripted.run();
  const auto why = "forbidden: open netlink: not permitted";
  EXPECT_EQ(built->text(), why);
  EXPECT_EQ(razed->text(), why);
  EXPECT_EQ(mended->text(), why);
  EXPECT_EQ(listed->text(), why);
}

} // namespace

} // namespace troupe::test
