#include "troupe/actors/services/reconcile.hpp"
#include "troupe/tests/unit/drivers/fixture.hpp"

namespace troupe::test {

namespace {

/// A bridge network with one endpoint, wanted and not built yet.
struct one_network : testing::Test {
  one_network() {
    wanted.networks = {network_v4()};
    wanted.plans = {plan_for(network_v4(), machine.sandbox("aaa"))};
  }

  reconcile_report run() {
    return reconcile(*driver, *machine.kernel, wanted).value();
  }

  host machine;
  std::unique_ptr<drivers::driver> driver = drivers::make("bridge", owner);
  reconcile_driver wanted;
};

TEST_F(one_network, BuildsWhatIsMissingThenFindsNothing) {
  auto first = run();
  ASSERT_EQ(first.findings.size(), 2U);
  EXPECT_EQ(first.findings[0].object,
            "network net-a (" + std::string(12, 'a') + ")");
  EXPECT_EQ(first.findings[1].object, "endpoint net-a/ep-1 (000000000001)");
  for (const auto& x : first.findings)
    EXPECT_TRUE(x.repaired) << x.problem;
  const auto before = fingerprint(*machine.world, true);
  auto second = run();
  EXPECT_TRUE(second.findings.empty());
  EXPECT_EQ(second.leftovers, 0U);
  EXPECT_EQ(fingerprint(*machine.world, true), before);
}

TEST_F(one_network, RemovesWhatIsNotWanted) {
  const auto empty = machine.print();
  run();
  wanted.networks.clear();
  wanted.plans.clear();
  EXPECT_EQ(run().leftovers, 2U);
  EXPECT_EQ(machine.print(), empty);
}

TEST_F(one_network, OnlyCountsWhenItMayNotRemove) {
  run();
  const auto before = fingerprint(*machine.world, true);
  wanted.networks.clear();
  wanted.plans.clear();
  wanted.remove_leftovers = false;
  EXPECT_EQ(run().leftovers, 2U);
  EXPECT_EQ(fingerprint(*machine.world, true), before);
}

TEST_F(one_network, LeavesOtherDaemonsAlone) {
  auto theirs = drivers::make("bridge", instance::of("/run/other"));
  ASSERT_TRUE(theirs->create_network(*machine.kernel, network_v4('b')));
  wanted = {};
  EXPECT_EQ(run().leftovers, 0U);
  EXPECT_TRUE(machine.has_link("", theirs->network_interface(network_v4('b'))));
}

TEST_F(one_network, GoesOnAfterAnError) {
  // The namespace of the first plan does not exist.
  wanted.plans.insert(wanted.plans.begin(),
                      plan_for(network_v4(), {"/run/troupe/netns/gone", 1}, 2));
  auto report = run();
  ASSERT_EQ(report.findings.size(), 3U);
  EXPECT_FALSE(report.findings[1].repaired);
  EXPECT_NE(report.findings[1].problem.find("repair failed"),
            std::string::npos);
  EXPECT_TRUE(report.findings[2].repaired) << report.findings[2].problem;
}

TEST_F(one_network, RemoveNamedTakesOursOnly) {
  run();
  machine.foreign_bridge("br0");
  const auto link = driver->host_interface(wanted.plans[0].endpoint);
  ASSERT_TRUE(remove_named(*driver, *machine.kernel, {link, "br0", "nothing"}));
  EXPECT_FALSE(machine.has_link("", link));
  EXPECT_TRUE(machine.has_link("", "br0"));
  EXPECT_TRUE(machine.has_link("", driver->network_interface(network_v4())));
}

} // namespace

} // namespace troupe::test
