// Plans that once failed, each the shortest of its kind.

#include "troupe/tests/system/harness/isolation.hpp"
#include "troupe/tests/system/model/world.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace troupe::test::reach {

namespace {

using kind = step::kind;

step attach(int sandbox, int network, int address, int priority = 1) {
  auto result = step{};
  result.what = kind::attach;
  result.sandbox = sandbox;
  result.network = network;
  result.address = address;
  result.priority = priority;
  return result;
}

step detach(int sandbox, int network) {
  auto result = attach(sandbox, network, 0);
  result.what = kind::detach;
  return result;
}

step publish(int sandbox, int network, bool tcp) {
  auto result = attach(sandbox, network, 0);
  result.what = kind::publish;
  result.port = {8080, 80, tcp, host_side::any, 0};
  return result;
}

step unpublish(int sandbox, int network, bool tcp) {
  auto result = publish(sandbox, network, tcp);
  result.what = kind::unpublish;
  return result;
}

step foreign(hand by, bool v6 = false) {
  auto result = step{};
  result.what = kind::foreign;
  result.by = by;
  result.v6 = v6;
  return result;
}

step kill() {
  auto result = step{};
  result.what = kind::kill;
  return result;
}

step new_clients() {
  auto result = step{};
  result.what = kind::new_clients;
  return result;
}

step dies(step x, blow how, const std::string& call) {
  x.hit = how;
  x.call = static_cast<int>(std::ranges::find(crash_calls(), call)
                            - crash_calls().begin());
  return x;
}

class ModelCases : public ::testing::Test {
protected:
  void SetUp() override {
    if (!isolation_refusal().empty())
      GTEST_SKIP() << "cannot make scratch namespaces: " << isolation_refusal();
  }

  // In two networks of mode nat and a routed one.
  static void expect_right(const std::vector<step>& steps) {
    auto x = plan{};
    x.networks
      = {network{mode::nat, true, true}, network{mode::nat, true, true},
         network{mode::routed, true, true}};
    x.steps = steps;
    auto log = std::string{};
    EXPECT_EQ(run_plan(x, &log), "") << x.text() << log;
  }
};

} // namespace

TEST_F(ModelCases, AnOpenFlowEndsThoughTheDaemonDiesAtTheFlush) {
  for (auto tcp : {false, true})
    for (auto how : {blow::crash_before, blow::crash_after})
      expect_right({attach(0, 0, 10), publish(0, 0, tcp), new_clients(),
                    dies(unpublish(0, 0, tcp), how, "flush_conntrack")});
}

TEST_F(ModelCases, WhoTakesAnAddressDoesNotGetItsFormerOwnersPackets) {
  expect_right({attach(0, 0, 10), publish(0, 0, false), new_clients(),
                dies(detach(0, 0), blow::crash_before, "flush_conntrack"),
                attach(1, 0, 10)});
}

TEST_F(ModelCases, ASecondNetworkLeavesPublishedPortsAlone) {
  for (auto tcp : {true, false}) {
    expect_right({attach(0, 0, 10, 5), publish(0, 0, tcp), attach(0, 1, 10, 10),
                  kill(), detach(0, 1)});
    expect_right(
      {attach(0, 1, 10, 10), attach(0, 0, 10, 5), publish(0, 0, tcp), kill()});
    expect_right(
      {attach(0, 2, 10, 5), publish(0, 2, tcp), attach(0, 1, 10, 10), kill()});
  }
}

TEST_F(ModelCases, ForwardingSwitchedOffIsNamed) {
  for (auto v6 : {false, true})
    for (auto by : {hand::forwarding_off, hand::bridge_forwarding_off})
      expect_right({attach(0, 0, 10), publish(0, 0, true), foreign(by, v6)});
}

TEST_F(ModelCases, ThatThePortOfADeadProxyIsTakenIsNamed) {
  expect_right(
    {attach(0, 0, 10), publish(0, 0, true), foreign(hand::port_taken)});
}

TEST_F(ModelCases, AFlowOlderThanThePortKeepsItsSource) {
  expect_right({attach(0, 0, 10), publish(0, 0, false)});
}

} // namespace troupe::test::reach
