#pragma once

#include "fixture.hpp"
#include <functional>
#include <iosfwd>
#include <span>

namespace troupe::test {

/// What one run works on.
struct stage {
  host machine;
  std::unique_ptr<drivers::driver> driver = drivers::make("bridge", owner);
  network_spec network = network_dual();
  std::vector<drivers::endpoint_plan> plans;
  std::vector<network_spec> other_networks; ///< Scenery.
  std::vector<drivers::endpoint_plan> other_plans;

  void add_endpoint() {
    auto n = static_cast<unsigned>(plans.size()) + 1;
    auto box = machine.sandbox(fmt::format("box-{}", n));
    plans.push_back(plan_for(network, box, n));
  }

  void build() {
    ASSERT_TRUE(driver->create_network(*machine.kernel, network));
    for (const auto& x : plans)
      ASSERT_TRUE(driver->create_endpoint(*machine.kernel, x));
  }

  /// Removes everything on a healthy kernel.
  void clean() {
    ASSERT_TRUE(driver->remove_endpoints(*machine.kernel, plans));
    ASSERT_TRUE(driver->remove_endpoints(*machine.kernel, other_plans));
    ASSERT_TRUE(driver->remove_network(*machine.kernel, network));
    for (const auto& x : other_networks)
      ASSERT_TRUE(driver->remove_network(*machine.kernel, x));
    auto rest = driver->list(*machine.kernel).value();
    for (const auto& x : rest)
      EXPECT_EQ(x.what, drivers::found_object::kind::doomed) << x.name;
    ASSERT_TRUE(driver->remove_found(*machine.kernel, rest));
  }
};

struct scenario {
  const char* name;
  /// What is there before the driver did anything.
  std::function<void(stage&)> scenery;
  /// What the driver and third parties did before the operation.
  std::function<void(stage&)> prepare;
  std::function<result<void>(stage&, netns::kernel&)> act;
  /// Is it done? On a healthy kernel.
  std::function<bool(stage&)> is_done;
  /// A failure may leave less behind than there was: what is removed is gone,
  /// and what only a crash can have left is tidied up.
  bool may_shrink = false;
  /// Repairs that were done stay, though another one failed.
  bool keeps_repairs = false;
};

/// Prints the name.
std::ostream& operator<<(std::ostream& out, const scenario& x);

/// Every operation of the bridge driver, on a fresh and on a disturbed world.
std::span<const scenario> bridge_scenarios();

} // namespace troupe::test
