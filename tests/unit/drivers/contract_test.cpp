#include "fixture.hpp"
#include <algorithm>

// What every driver promises, whatever it does. A new driver needs one line:
// a network it accepts, in `sample`.

namespace troupe::test {

namespace {

using found_kind = drivers::found_object::kind;

network_spec sample(std::string_view driver) {
  auto result = network_dual();
  result.driver = driver;
  if (!drivers::make(driver, owner)->features().uses_addresses)
    result.pools.clear();
  return result;
}

class DriverContract : public ::testing::TestWithParam<std::string_view> {
protected:
  std::unique_ptr<drivers::driver> driver = drivers::make(GetParam(), owner);
  host machine;
  network_spec network = sample(GetParam());

  drivers::endpoint_plan plan(const std::string& sandbox, unsigned n = 1) {
    return plan_for(network, machine.sandbox(sandbox), n);
  }

  size_t objects() {
    return driver->list(*machine.kernel).value().size();
  }
};

TEST_P(DriverContract, IsNamedAsInTheRegistry) {
  EXPECT_EQ(driver->name(), GetParam());
}

TEST_P(DriverContract, ValidatesWithoutTouchingAnything) {
  auto before = machine.print();
  auto endpoint = endpoint_spec{};
  EXPECT_TRUE(driver->validate(network)) << text(driver->validate(network));
  EXPECT_TRUE(driver->validate_endpoint(network, endpoint));
  EXPECT_EQ(machine.print(), before);
}

TEST_P(DriverContract, RefusesAnOptionNobodyKnows) {
  network.options["no_such_option"] = "1";
  auto done = driver->validate(network);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ec::invalid_argument);
  EXPECT_NE(done.error().message.find("no_such_option"), std::string::npos);
}

TEST_P(DriverContract, HasRulesIfItSaysSo) {
  const auto uses = driver->features().uses_firewall;
  auto where = plan("box");
  EXPECT_EQ(driver->network_elements(network).value().empty(), !uses);
  auto of_endpoint
    = driver->endpoint_elements(network, where.endpoint, {}).value();
  EXPECT_EQ(of_endpoint.empty(), !uses);
}

TEST_P(DriverContract, IgnoresForeignLabels) {
  network.options["org.example.colour"] = "blue";
  EXPECT_TRUE(driver->validate(network));
}

TEST_P(DriverContract, RefusesAConflictWithItself) {
  auto done = driver->check_conflict(network, network);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code,
            driver->features().single_network ? ec::forbidden : ec::conflict);
}

TEST_P(DriverContract, CreatesTwiceAsOnce) {
  auto x = plan("box");
  ASSERT_TRUE(driver->create_network(*machine.kernel, network));
  ASSERT_TRUE(driver->create_endpoint(*machine.kernel, x));
  auto once = netns::fingerprint(*machine.world, true);
  ASSERT_TRUE(driver->create_network(*machine.kernel, network));
  ASSERT_TRUE(driver->create_endpoint(*machine.kernel, x));
  EXPECT_EQ(netns::fingerprint(*machine.world, true), once);
}

TEST_P(DriverContract, RemovesEverythingItMade) {
  auto x = plan("box");
  auto before = machine.print();
  ASSERT_TRUE(driver->create_network(*machine.kernel, network));
  ASSERT_TRUE(driver->create_endpoint(*machine.kernel, x));
  ASSERT_TRUE(driver->remove_endpoints(*machine.kernel, {&x, 1}));
  ASSERT_TRUE(driver->remove_network(*machine.kernel, network));
  EXPECT_EQ(machine.print(), before);
}

TEST_P(DriverContract, RemovesManyTogether) {
  auto plans = std::vector<drivers::endpoint_plan>{};
  for (auto n = 1U; n <= 24; ++n)
    plans.push_back(plan(fmt::format("box-{}", n), n));
  ASSERT_TRUE(driver->create_network(*machine.kernel, network));
  auto before = machine.print();
  for (const auto& x : plans)
    ASSERT_TRUE(driver->create_endpoint(*machine.kernel, x));
  ASSERT_TRUE(driver->remove_endpoints(*machine.kernel, plans));
  EXPECT_EQ(machine.print(), before);
}

TEST_P(DriverContract, RemovesWhatIsGoneAlready) {
  auto x = plan("box");
  auto before = machine.print();
  EXPECT_TRUE(driver->remove_endpoints(*machine.kernel, {&x, 1}));
  EXPECT_TRUE(driver->remove_network(*machine.kernel, network));
  EXPECT_EQ(machine.print(), before);
}

TEST_P(DriverContract, RemovesAnEndpointWhoseNamespaceIsGone) {
  auto x = plan("box");
  ASSERT_TRUE(driver->create_network(*machine.kernel, network));
  ASSERT_TRUE(driver->create_endpoint(*machine.kernel, x));
  ASSERT_TRUE(machine.kernel->remove_namespace("box"));
  EXPECT_TRUE(driver->remove_endpoints(*machine.kernel, {&x, 1}));
}

TEST_P(DriverContract, ListsExactlyWhatItMade) {
  auto x = plan("box");
  EXPECT_EQ(objects(), 0U);
  ASSERT_TRUE(driver->create_network(*machine.kernel, network));
  ASSERT_TRUE(driver->create_endpoint(*machine.kernel, x));
  auto all = driver->list(*machine.kernel).value();
  for (const auto& found : all) {
    auto is_network = found.what == found_kind::network;
    EXPECT_EQ(found.brief_id,
              is_network ? network.id.brief() : x.endpoint.id.brief());
    EXPECT_EQ(found.name, is_network ? driver->network_interface(network)
                                     : driver->host_interface(x.endpoint));
  }
  auto expected = (driver->network_interface(network).empty() ? 0U : 1U)
                  + (driver->host_interface(x.endpoint).empty() ? 0U : 1U);
  EXPECT_EQ(objects(), expected);
}

TEST_P(DriverContract, RemovesWhatItFound) {
  auto x = plan("box");
  ASSERT_TRUE(driver->create_network(*machine.kernel, network));
  ASSERT_TRUE(driver->create_endpoint(*machine.kernel, x));
  auto found = driver->list(*machine.kernel).value();
  EXPECT_TRUE(driver->remove_found(*machine.kernel, found));
  EXPECT_EQ(objects(), 0U);
  EXPECT_TRUE(driver->remove_found(*machine.kernel, found));
}

TEST_P(DriverContract, FindsNothingToComplainAboutInWhatItMade) {
  auto x = plan("box");
  ASSERT_TRUE(driver->create_network(*machine.kernel, network));
  ASSERT_TRUE(driver->create_endpoint(*machine.kernel, x));
  auto before = machine.print();
  EXPECT_EQ(driver->inspect_network(*machine.kernel, network).value(),
            std::vector<std::string>{});
  EXPECT_EQ(driver->inspect_endpoint(*machine.kernel, x).value(),
            std::vector<std::string>{});
  EXPECT_EQ(machine.print(), before);
}

INSTANTIATE_TEST_SUITE_P(Registry, DriverContract,
                         ::testing::ValuesIn(drivers::names()),
                         [](const auto& x) {
                           return std::string{x.param};
                         });

TEST(Registry, ListsNamesInOrder) {
  auto names = drivers::names();
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
  EXPECT_EQ(names.size(), 3U);
}

// What is recorded under another version's driver can be removed, and nothing
// else: the kernel stays as it is.
TEST(Registry, AnUnknownDriverBuildsNothing) {
  for (auto name : {"bridgé", "macvlan", ""}) {
    EXPECT_FALSE(drivers::is_known(name));
    EXPECT_EQ(drivers::served_by(name), "");
    auto machine = host{};
    const auto before = machine.print();
    auto driver = drivers::make(name, owner);
    ASSERT_NE(driver, nullptr);
    EXPECT_EQ(driver->name(), name);
    auto plan = drivers::endpoint_plan{network_v4(), {}, {}};
    plan.network.driver = name;
    EXPECT_FALSE(driver->validate(plan.network));
    EXPECT_FALSE(driver->validate_endpoint(plan.network, plan.endpoint));
    EXPECT_EQ(
      driver->create_network(*machine.kernel, plan.network).error().code,
      ec::unsupported);
    EXPECT_EQ(driver->create_endpoint(*machine.kernel, plan).error().code,
              ec::unsupported);
    EXPECT_EQ(
      driver->inspect_network(*machine.kernel, plan.network).error().code,
      ec::unsupported);
    EXPECT_TRUE(driver->remove_network(*machine.kernel, plan.network));
    EXPECT_TRUE(driver->remove_endpoints(*machine.kernel, {&plan, 1}));
    EXPECT_TRUE(driver->list(*machine.kernel).value().empty());
    EXPECT_TRUE(driver->endpoint_elements(plan.network, plan.endpoint, {})
                  .value()
                  .empty());
    EXPECT_EQ(machine.print(), before);
  }
  EXPECT_EQ(drivers::served_by("bridge"), "bridge");
}

} // namespace

} // namespace troupe::test
