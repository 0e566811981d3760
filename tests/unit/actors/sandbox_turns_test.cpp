#include "troupe/actors/objects/sandbox.hpp"
#include "troupe/actors/services/events.hpp"
#include "troupe/actors/services/namespaces.hpp"
#include "troupe/actors/services/store.hpp"
#include "troupe/tests/unit/drivers/fixture.hpp"

#include "scripted_system.hpp"

namespace troupe::test {

namespace {

/// A sandbox, with the test in the place of its endpoints.
struct sandbox_turns : testing::Test {
  sandbox_turns() {
    auto& context = *scripted.context;
    context.parts.open_kernel = netns::simulated_kernel_factory(machine.world);
    context.parts.open_store = [disk = disk] {
      return persistence::open_memory(disk);
    };
    context.store
      = scripted.keep(spawn_store(scripted.system, scripted.context));
    context.namespaces
      = scripted.keep(spawn_namespaces(scripted.system, scripted.context));
    context.events = scripted.keep(spawn_events(scripted.system, 0));
    auto spec = sandbox_spec{};
    spec.id.value = id_of('5');
    spec.name = "box";
    sandbox = scripted.keep(
      spawn_sandbox(scripted.system, scripted.context, {spec, {}}));
    auto started = scripted.ask<sandbox_status>(sandbox, start_sandbox{});
    scripted.run();
    EXPECT_EQ(started->text(), "ok");
  }

  /// An endpoint of a network of its own.
  static joining_endpoint endpoint_called(char digit) {
    auto result = joining_endpoint{};
    auto network = network_v4(digit);
    auto spec = endpoint_spec{};
    spec.id.value = id_of(digit);
    spec.network = network.id;
    spec.name = std::string{"ep-"} + digit;
    result.network = std::make_shared<const network_spec>(network);
    result.endpoint = std::make_shared<const endpoint_spec>(spec);
    return result;
  }

  std::shared_ptr<answer<join_slot>> reserve(char digit) {
    auto asked
      = scripted.ask<join_slot>(sandbox, reserve_join{endpoint_called(digit)});
    scripted.run();
    return asked;
  }

  std::string finish(char digit, bool joined) {
    auto asked
      = scripted.ask<done>(sandbox, finish_join{{id_of(digit)}, joined});
    scripted.run();
    return asked->text();
  }

  sandbox_status status() {
    auto asked = scripted.ask<sandbox_status>(sandbox, get_sandbox{});
    scripted.run();
    return asked->value.value();
  }

  host machine;
  std::shared_ptr<persistence::memory_disk> disk
    = std::make_shared<persistence::memory_disk>();
  scripted_system scripted;
  sandbox_actor sandbox;
};

TEST_F(sandbox_turns, JoinsTakeTurns) {
  auto first = reserve('a');
  auto second = reserve('b');
  ASSERT_EQ(first->text(), "ok");
  EXPECT_EQ(first->value->where.interface, "eth0");
  EXPECT_TRUE(first->value->where.default_route_v4);
  EXPECT_EQ(second->text(), "pending");
  // Not shown before it has happened.
  EXPECT_TRUE(status().endpoints.empty());
  EXPECT_EQ(finish('a', true), "ok");
  ASSERT_EQ(second->text(), "ok");
  EXPECT_EQ(second->value->where.interface, "eth1");
  EXPECT_FALSE(second->value->where.default_route_v4);
  EXPECT_EQ(status().endpoints.size(), 1U);
}

TEST_F(sandbox_turns, AJoinThatFailedLeavesItsPlace) {
  reserve('a');
  auto second = reserve('b');
  EXPECT_EQ(finish('a', false), "ok");
  ASSERT_EQ(second->text(), "ok");
  EXPECT_EQ(second->value->where.interface, "eth0");
  EXPECT_TRUE(second->value->where.default_route_v4);
}

TEST_F(sandbox_turns, OneThatGaveUpWaitingDoesNotHoldUpTheNext) {
  reserve('a');
  auto second = reserve('b');
  auto third = reserve('c');
  EXPECT_EQ(finish('b', false), "ok"); // While it waits.
  EXPECT_EQ(second->text(), "pending");
  EXPECT_EQ(finish('a', true), "ok");
  EXPECT_EQ(second->text(), "timeout: sandbox \"box\": gave up waiting");
  ASSERT_EQ(third->text(), "ok");
  EXPECT_EQ(third->value->where.interface, "eth1");
  // It may come again.
  EXPECT_EQ(finish('c', true), "ok");
  EXPECT_EQ(reserve('b')->text(), "ok");
}

TEST_F(sandbox_turns, OneThatGaveUpTooLateGivesItsTurnBack) {
  reserve('a');
  EXPECT_EQ(finish('a', false), "ok");
  EXPECT_EQ(reserve('b')->text(), "ok");
}

TEST_F(sandbox_turns, ARefusedJoinEndsItsTurn) {
  // An endpoint of the host's network in a namespace of its own.
  auto who = endpoint_called('a');
  auto network = *who.network;
  network.driver = "host";
  who.network = std::make_shared<const network_spec>(network);
  auto refused = scripted.ask<join_slot>(sandbox, reserve_join{who});
  scripted.run();
  EXPECT_EQ(refused->text(),
            "forbidden: sandbox \"box\": networks of driver \"host\" are for "
            "sandboxes in the host's namespace");
  EXPECT_EQ(reserve('b')->text(), "ok");
}

TEST_F(sandbox_turns, ALeaveOfWhatIsNotHereEndsItsTurn) {
  auto left = scripted.ask<done>(sandbox, reserve_leave{{id_of('a')}});
  scripted.run();
  EXPECT_EQ(left->text(),
            "not_found: sandbox \"box\": the endpoint is not here");
  EXPECT_EQ(reserve('b')->text(), "ok");
}

TEST_F(sandbox_turns, LeavesAndJoinsShareTheTurns) {
  reserve('a');
  finish('a', true);
  auto leaving = scripted.ask<done>(sandbox, reserve_leave{{id_of('a')}});
  scripted.run();
  EXPECT_EQ(leaving->text(), "ok");
  auto joining = reserve('b');
  EXPECT_EQ(joining->text(), "pending");
  auto left = scripted.ask<done>(sandbox, finish_leave{{id_of('a')}, true});
  scripted.run();
  EXPECT_EQ(left->text(), "ok");
  ASSERT_EQ(joining->text(), "ok");
  EXPECT_EQ(joining->value->where.interface, "eth0");
}

TEST_F(sandbox_turns, RemovalWaitsForTheJoinAndTellsTheRest) {
  reserve('a');
  auto removed = scripted.ask<done>(sandbox, drop_sandbox{});
  scripted.run();
  EXPECT_EQ(removed->text(), "pending");
  auto late = reserve('b');
  EXPECT_EQ(finish('a', false), "ok");
  EXPECT_EQ(removed->text(), "ok");
  EXPECT_EQ(late->text(), "not_found: sandbox \"box\": it was removed");
  EXPECT_TRUE(machine.world->view().pins.empty());
  EXPECT_TRUE(disk->content.sandboxes.empty());
}

TEST_F(sandbox_turns, AFullQueueIsSaidAtOnce) {
  reserve('a');
  auto last = std::shared_ptr<answer<join_slot>>{};
  for (int i = 0; i <= scripted.context->how.max_queue; ++i)
    last = reserve('b');
  EXPECT_EQ(last->text(),
            "unavailable: sandbox \"box\": too many operations wait");
}

TEST_F(sandbox_turns, OnlyTheHolderSwitchesTheGateway) {
  reserve('a');
  auto switched = scripted.ask<done>(sandbox, switch_gateway{{id_of('b')}});
  scripted.run();
  EXPECT_TRUE(switched->why);
}

} // namespace

} // namespace troupe::test
