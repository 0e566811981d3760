// What the fault lab has found once, cut down to what it needs.

#include "troupe/tests/lab/sim_run.hpp"
#include "troupe/tests/sim/lost_events.hpp"

#include <gtest/gtest.h>

namespace troupe::testing {

namespace {

/// A plan, step by step. A request runs to its end before the next step.
class story {
public:
  story& then(request x) {
    auto step = sim_step{};
    step.operation = std::move(x);
    step.messages = 10'000;
    return add(std::move(step));
  }

  /// Of another client, while the one before may be in work.
  story& meanwhile(request x) {
    then(std::move(x));
    plan_.steps.back().client = 1;
    return *this;
  }

  /// @param on the actor that a message fault strikes.
  story& then(fault_kind what, std::string on = {}) {
    auto step = sim_step{};
    step.fault.fault = what;
    step.fault.on = std::move(on);
    step.fault.nth = 0;
    return add(std::move(step));
  }

  /// How a run ends, for each of the three ways it is brought to rest.
  std::string wrong() {
    auto text = std::string{};
    for (plan_.salt = 0; plan_.salt < 3; ++plan_.salt)
      text += run_plan(plan_).wrong;
    return text;
  }

private:
  story& add(sim_step step) {
    step.number = plan_.steps.size();
    plan_.steps.push_back(std::move(step));
    return *this;
  }

  sim_plan plan_{1, 4, {}, 0};
};

request network() {
  auto spec = network_spec{};
  spec.name = "n0";
  return create_network{spec};
}

request endpoint() {
  auto spec = endpoint_spec{};
  spec.name = "w0";
  return create_endpoint{"n0", spec};
}

request sandbox() {
  auto spec = sandbox_spec{};
  spec.name = "s0";
  return create_sandbox{spec};
}

request published() {
  auto port = port_spec{};
  port.port = 80;
  return publish_ports{"n0", "w0", {port}};
}

request unpublished() {
  auto port = port_spec{};
  port.port = 80;
  return unpublish_ports{"n0", "w0", {port}};
}

// A commit whose answer comes too late may have happened: what was to be made
// is taken back, what was to be removed is removed once more.

TEST(Replay, AnEndpointWhoseCommitWasNotAnsweredLeavesNoRecord) {
  EXPECT_EQ(story{}
              .then(network())
              .then(fault_kind::store_lose_reply)
              .then(endpoint())
              .wrong(),
            "");
}

TEST(Replay, ASandboxWhoseRemovalWasNotAnsweredIsGone) {
  EXPECT_EQ(story{}
              .then(sandbox())
              .then(fault_kind::store_lose_reply)
              .then(remove_sandbox{"s0"})
              .wrong(),
            "");
}

TEST(Replay, ANetworkWhoseRemovalWasNotAnsweredIsGone) {
  EXPECT_EQ(story{}
              .then(network())
              .then(fault_kind::store_lose_reply)
              .then(remove_network{"n0"})
              .wrong(),
            "");
}

TEST(Replay, AnEndpointWhoseRemovalWasNotAnsweredIsGone) {
  EXPECT_EQ(story{}
              .then(network())
              .then(endpoint())
              .then(fault_kind::store_lose_reply)
              .then(remove_endpoint{"n0", "w0", false})
              .wrong(),
            "");
}

TEST(Replay, ALeaveThatWasNotAnsweredHasHappened) {
  EXPECT_EQ(story{}
              .then(network())
              .then(endpoint())
              .then(sandbox())
              .then(join_endpoint{"n0", "w0", "s0"})
              .then(fault_kind::store_lose_reply)
              .then(leave_endpoint{"n0", "w0"})
              .wrong(),
            "");
}

TEST(Replay, PortsWhoseReturnWasNotAnsweredAreFree) {
  EXPECT_EQ(story{}
              .then(network())
              .then(endpoint())
              .then(sandbox())
              .then(join_endpoint{"n0", "w0", "s0"})
              .then(published())
              .then(fault_kind::store_lose_reply)
              .then(unpublished())
              .wrong(),
            "");
}

// A network said so, a sandbox said that it was ready.

TEST(Replay, ASandboxIsNotThereBeforeItIsMade) {
  EXPECT_EQ(story{}
              .then(fault_kind::message_drop, "namespaces")
              .then(sandbox())
              .meanwhile(inspect_sandbox{"s0"})
              .wrong(),
            "");
}

TEST(Replay, AnEndpointIsNotThereBeforeItIsMade) {
  EXPECT_EQ(story{}
              .then(network())
              .then(fault_kind::store_full)
              .then(endpoint())
              .meanwhile(inspect_endpoint{"n0", "w0"})
              .wrong(),
            "");
}

// Its link was mended to what it was when it joined: with the default route.

TEST(Replay, APublishedPortDoesNotTakeTheDefaultRouteBack) {
  auto other = network_spec{};
  other.name = "n1";
  auto preferred = endpoint_spec{};
  preferred.priority = 1;
  auto port = port_spec{};
  port.port = 80;
  EXPECT_EQ(story{}
              .then(network())
              .then(create_network{other})
              .then(sandbox())
              .then(attach_sandbox{"n0", "s0", {}})
              .then(attach_sandbox{"n1", "s0", preferred})
              .then(publish_ports{"n0", "s0", {port}})
              .wrong(),
            "");
}

TEST(LostEvents, AreMadeUpFor) {
  EXPECT_EQ(test::check_lost_events(), "");
}

} // namespace

} // namespace troupe::testing
