#include "troupe/actors/objects/endpoint.hpp"
#include "troupe/actors/services/events.hpp"
#include "troupe/actors/services/store.hpp"
#include "troupe/tests/unit/drivers/fixture.hpp"

#include "scripted_system.hpp"

namespace troupe::test {

namespace {

/// What a test double does with a message: an answer after a while, or never.
struct script {
  bool answers_reserve = true;
  bool answers_build = true;
  std::vector<std::string> seen;
};

/// Stands for the sandbox.
sandbox_actor::behavior_type
play_sandbox(sandbox_actor::pointer self, std::shared_ptr<script> play) {
  auto note = [play](std::string what) -> caf::result<done> {
    play->seen.push_back(std::move(what));
    return done{};
  };
  return {
    [](const start_sandbox&) -> caf::result<sandbox_status> {
      return sandbox_status{};
    },
    [](const get_sandbox&) -> caf::result<sandbox_status> {
      return sandbox_status{};
    },
    [=](const drop_sandbox&) {
      return note("drop");
    },
    [=](const reserve_join&) -> caf::result<join_slot> {
      play->seen.push_back("reserve_join");
      if (!play->answers_reserve)
        return promise<join_slot>{self};
      auto slot = join_slot{};
      slot.sandbox.value = id_of('5');
      slot.sandbox_name = "box";
      slot.where.interface = "eth0";
      return slot;
    },
    [](const restore_join&) -> caf::result<join_slot> {
      return join_slot{};
    },
    [](const locate_endpoint&) -> caf::result<join_slot> {
      return join_slot{};
    },
    [](const list_plans&) -> caf::result<endpoint_plans> {
      return endpoint_plans{};
    },
    [=](const switch_gateway&) {
      return note("switch_gateway");
    },
    [=](const finish_join& msg) {
      return note(msg.joined ? "joined" : "not joined");
    },
    [=](const reserve_leave&) -> caf::result<done> {
      play->seen.push_back("reserve_leave");
      if (!play->answers_reserve)
        return promise<done>{self};
      return done{};
    },
    [=](const finish_leave& msg) {
      return note(msg.left ? "left" : "not left");
    },
    [=](const part_from&) {
      return note("part_from");
    },
    [](const check_sandbox&) -> caf::result<mend_report> {
      return mend_report{};
    },
  };
}

/// Stands for the driver.
driver_actor::behavior_type
play_driver(driver_actor::pointer self, std::shared_ptr<script> play) {
  auto note = [play](std::string what) -> caf::result<done> {
    play->seen.push_back(std::move(what));
    return done{};
  };
  return {
    [=](const check_new_network&) {
      return note("check_new_network");
    },
    [=](const build_network&) {
      return note("build_network");
    },
    [=](const raze_network&) {
      return note("raze_network");
    },
    [=](const build_endpoint&) -> caf::result<done> {
      play->seen.push_back("build");
      if (!play->answers_build)
        return promise<done>{self};
      return done{};
    },
    [](const announce_endpoint&) -> caf::result<done> {
      return done{};
    },
    [=](const raze_endpoint&) {
      return note("raze");
    },
    [=](const flush_razes&) {
      return note("flush");
    },
    [=](const expect_gone&) {
      return note("expect_gone");
    },
    [=](const check_gone&) {
      return note("check_gone");
    },
    [](const mend_network&) -> caf::result<mend_report> {
      return mend_report{};
    },
    [](const mend_endpoint&) -> caf::result<mend_report> {
      return mend_report{};
    },
    [](const reconcile_driver&) -> caf::result<reconcile_report> {
      return reconcile_report{};
    },
    [=](const remove_leftovers&) {
      return note("remove_leftovers");
    },
    [](const list_routed_subnets&) -> caf::result<routed_subnets> {
      return routed_subnets{};
    },
  };
}

struct endpoint_timeouts : testing::Test {
  endpoint_timeouts() {
    auto& context = *scripted.context;
    context.parts.open_store = [disk = disk] {
      return persistence::open_memory(disk);
    };
    context.store
      = scripted.keep(spawn_store(scripted.system, scripted.context));
    context.events = scripted.keep(spawn_events(scripted.system, 0));
    sandbox = scripted.keep(scripted.system.spawn(play_sandbox, play));
    driver = scripted.keep(scripted.system.spawn(play_driver, play));
    auto spec = endpoint_spec{};
    spec.id.value = id_of('e');
    spec.name = "c1";
    // No network: nothing in these tests ends the endpoint.
    endpoint = scripted.keep(spawn_endpoint(
      scripted.system, scripted.context,
      {spec, std::make_shared<const network_spec>(network_v4()), {}, driver}));
    scripted.run();
  }

  std::shared_ptr<answer<endpoint_status>> join() {
    auto asked
      = scripted.ask<endpoint_status>(endpoint, enter_sandbox{sandbox});
    scripted.run();
    return asked;
  }

  host machine;
  std::shared_ptr<persistence::memory_disk> disk
    = std::make_shared<persistence::memory_disk>();
  std::shared_ptr<script> play = std::make_shared<script>();
  scripted_system scripted;
  sandbox_actor sandbox;
  driver_actor driver;
  endpoint_actor endpoint;
};

using lines = std::vector<std::string>;

TEST_F(endpoint_timeouts, AJoinInItsSteps) {
  auto joined = join();
  EXPECT_EQ(joined->text(), "ok");
  EXPECT_EQ(play->seen, (lines{"reserve_join", "build", "joined"}));
  EXPECT_EQ(disk->content.joins.size(), 1U);
}

TEST_F(endpoint_timeouts, WhoGivesUpWaitingSaysSo) {
  play->answers_reserve = false;
  auto joined = join();
  scripted.pass(scripted.context->operation_deadline());
  ASSERT_TRUE(joined->why);
  EXPECT_EQ(joined->why->code, ec::timeout);
  // Else the sandbox would keep the turn for it.
  EXPECT_EQ(play->seen, (lines{"reserve_join", "not joined"}));
  play->answers_reserve = true;
  EXPECT_EQ(join()->text(), "ok");
}

TEST_F(endpoint_timeouts, WhoGivesUpWaitingToLeaveSaysSo) {
  EXPECT_EQ(join()->text(), "ok");
  play->seen.clear();
  play->answers_reserve = false;
  auto left = scripted.ask<done>(endpoint, part_endpoint{});
  scripted.run();
  scripted.pass(scripted.context->operation_deadline());
  ASSERT_TRUE(left->why);
  EXPECT_EQ(left->why->code, ec::timeout);
  EXPECT_EQ(play->seen, (lines{"reserve_leave", "not left"}));
  // It is joined as before, and can leave later.
  play->answers_reserve = true;
  left = scripted.ask<done>(endpoint, part_endpoint{});
  scripted.run();
  EXPECT_EQ(left->text(), "ok");
  EXPECT_TRUE(disk->content.joins.empty());
}

TEST_F(endpoint_timeouts, ABuildWithoutAnAnswerIsUndone) {
  play->answers_build = false;
  auto joined = join();
  EXPECT_EQ(joined->text(), "pending");
  scripted.pass(scripted.context->step_deadline());
  ASSERT_TRUE(joined->why);
  EXPECT_EQ(joined->why->code, ec::timeout);
  EXPECT_EQ(play->seen, (lines{"reserve_join", "build", "raze", "not joined"}));
  EXPECT_TRUE(disk->content.joins.empty());
}

TEST_F(endpoint_timeouts, OperationsTakeTurns) {
  play->answers_build = false;
  auto joined = join();
  auto left = scripted.ask<done>(endpoint, part_endpoint{});
  scripted.run();
  EXPECT_EQ(left->text(), "pending");
  scripted.pass(scripted.context->step_deadline());
  EXPECT_TRUE(joined->why);
  EXPECT_EQ(left->text(), "forbidden: leave endpoint \"net-a/c1\": it is not "
                          "joined to a sandbox");
}

} // namespace

} // namespace troupe::test
