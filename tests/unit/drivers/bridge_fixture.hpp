#pragma once

#include "fixture.hpp"
#include <string>
#include <vector>

namespace troupe::test {

/// One endpoint of a bridge network and the sandbox `box` it goes to.
class BridgeEndpoint : public ::testing::Test {
protected:
  host machine;
  std::unique_ptr<drivers::driver> driver = drivers::make("bridge", owner);
  network_spec network = network_v4();
  drivers::endpoint_plan plan = plan_for(network, machine.sandbox("box"));

  void SetUp() override {
    make_network();
  }

  /// Makes the network as it is described now.
  void make_network() {
    ASSERT_TRUE(driver->remove_network(*machine.kernel, network));
    ASSERT_TRUE(driver->create_network(*machine.kernel, network));
    plan = plan_for(network, plan.where.ns);
  }

  result<void> create() {
    return driver->create_endpoint(*machine.kernel, plan);
  }

  void remove() {
    ASSERT_TRUE(driver->remove_endpoints(*machine.kernel, {&plan, 1}));
  }

  std::vector<std::string> complaints() {
    return driver->inspect_endpoint(*machine.kernel, plan).value();
  }

  std::vector<netns::route_info> routes() {
    return machine.kernel->enter(plan.where.ns).value()->routes().value();
  }
};

} // namespace troupe::test
