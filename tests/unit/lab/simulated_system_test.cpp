#include "troupe/tests/lab/invariants.hpp"
#include "troupe/tests/lab/simulated_system.hpp"

#include <gtest/gtest.h>

namespace troupe::testing {

namespace {

std::string id_of_a_network(uint64_t seed) {
  auto id = std::string{};
  with_seed(seed, [&] {
    auto system = simulated_system{};
    ASSERT_TRUE(system.start());
    auto network = system.controller().create_network("bridge", "web");
    ASSERT_TRUE(network) << network.error().message;
    id = network->id().value;
  });
  return id;
}

TEST(SimulatedSystem, DrawsItsIdsFromTheSeed) {
  EXPECT_EQ(id_of_a_network(1), id_of_a_network(1));
  EXPECT_NE(id_of_a_network(1), id_of_a_network(2));
}

TEST(SimulatedSystem, OffersThePublicFacade) {
  auto system = simulated_system{};
  ASSERT_TRUE(system.start());
  auto controller = system.controller();
  auto network = controller.create_network("bridge", "web");
  ASSERT_TRUE(network) << network.error().message;
  auto endpoint = network->create_endpoint("e1");
  auto sandbox = controller.create_sandbox("c1");
  ASSERT_TRUE(endpoint && sandbox);
  ASSERT_TRUE(endpoint->join(*sandbox));
  EXPECT_EQ(check_all(system), "");
  EXPECT_EQ(remove_everything(system), "");
}

TEST(SimulatedSystem, TellsItsEvents) {
  auto system = simulated_system{};
  ASSERT_TRUE(system.start());
  auto controller = system.controller();
  auto actions = std::vector<std::string>{};
  auto subscription = controller.subscribe([&](const event& x) {
    actions.push_back(x.type + " " + x.action);
  });
  ASSERT_TRUE(subscription);
  ASSERT_TRUE(controller.create_network("bridge", "web"));
  controller.unsubscribe(*subscription);
  ASSERT_TRUE(controller.create_network("bridge", "db"));
  EXPECT_EQ(actions, std::vector<std::string>{"network create"});
}

TEST(SimulatedSystem, RefusesRequestsWhileNoDaemonRuns) {
  auto facade = [] {
    auto system = simulated_system{};
    auto answered = system.call(get_status{});
    EXPECT_FALSE(answered);
    EXPECT_EQ(answered.error().code, ec::unavailable);
    return system.controller();
  }();
  auto answered = facade.status();
  ASSERT_FALSE(answered);
  EXPECT_EQ(answered.error().code, ec::unavailable);
}

TEST(SimulatedSystem, KeepsKernelAndRecordsOverACrash) {
  auto system = simulated_system{};
  ASSERT_TRUE(system.start());
  ASSERT_TRUE(system.controller().create_network("bridge", "web"));
  const auto machine = fingerprint(*system.world, true);
  const auto records = system.records();
  system.crash();
  EXPECT_FALSE(system.controller().create_network("bridge", "db"));
  ASSERT_TRUE(system.start());
  EXPECT_EQ(fingerprint(*system.world, true), machine);
  EXPECT_EQ(system.records(), records);
}

TEST(SimulatedSystem, KeepsOnlyTheDiskWhenItLosesPower) {
  auto system = simulated_system{};
  ASSERT_TRUE(system.start());
  ASSERT_TRUE(system.controller().create_network("bridge", "web"));
  const auto machine = fingerprint(*system.world);
  const auto records = system.records();
  auto attach = attach_sandbox{"web", "box", {}};
  attach.spec.ports.push_back(*parse_port_spec("80"));
  ASSERT_TRUE(system.controller().create_sandbox("box"));
  ASSERT_TRUE(system.call(attach));
  ASSERT_FALSE(system.ports->held().empty());
  system.arm_power_loss();
  EXPECT_FALSE(system.boot()) << "it is on";
  system.crash();
  ASSERT_TRUE(system.start());
  EXPECT_EQ(system.records(), records);
  EXPECT_EQ(fingerprint(*system.world), machine);
  EXPECT_TRUE(system.ports->held().empty());
  // A crash after it is one of the process alone.
  ASSERT_TRUE(system.controller().create_sandbox("box"));
  system.crash();
  ASSERT_TRUE(system.start());
  EXPECT_NE(system.records(), records);
}

} // namespace

} // namespace troupe::testing
