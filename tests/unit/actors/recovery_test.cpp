#include "troupe/actors/controller/recovery.hpp"
#include "troupe/tests/unit/drivers/fixture.hpp"

namespace troupe::test {

namespace {

endpoint_spec endpoint_of(char digit, char network, bool ephemeral) {
  auto result = endpoint_spec{};
  result.id.value = id_of(digit);
  result.network.value = id_of(network);
  result.name = std::string{"ep-"} + digit;
  result.ephemeral = ephemeral;
  return result;
}

sandbox_spec sandbox_of(char digit) {
  auto result = sandbox_spec{};
  result.id.value = id_of(digit);
  result.name = std::string{"box-"} + digit;
  return result;
}

join_spec join_of(char endpoint, char network, char sandbox,
                  std::string interface = "eth0") {
  return {{id_of(endpoint)},
          {id_of(network)},
          {id_of(sandbox)},
          std::move(interface),
          {}};
}

/// What the plan wants removed: kind and first digit of the id.
std::string orphans(const rebuild_plan& plan) {
  auto result = std::string{};
  for (const auto& x : plan.orphans)
    if (const auto* endpoint
        = std::get_if<persistence::remove_endpoint_record>(&x))
      result += std::string{endpoint->ephemeral ? "e" : "E"}
                + endpoint->id.value.front();
    else if (const auto* join
             = std::get_if<persistence::remove_join_record>(&x))
      result += std::string{"j"} + join->endpoint.value.front();
    else
      result += "?";
  return result;
}

TEST(PlanRebuild, KeepsWhatBelongsTogether) {
  auto plan
    = plan_rebuild({{network_v4('a')},
                    {endpoint_of('1', 'a', true), endpoint_of('2', 'a', false),
                     endpoint_of('3', 'a', false)},
                    {sandbox_of('b')},
                    {join_of('1', 'a', 'b'), join_of('2', 'a', 'b')},
                    {}});
  EXPECT_EQ(orphans(plan), "");
  EXPECT_EQ(plan.networks.size(), 1U);
  EXPECT_EQ(plan.sandboxes.size(), 1U);
  EXPECT_EQ(plan.endpoints[{id_of('a')}].size(), 3U);
  EXPECT_EQ(plan.joins.size(), 2U);
}

TEST(PlanRebuild, AfterARebootEndpointsStayWithoutTheirJoins) {
  // Sandboxes, joins and ephemeral endpoints went with the runtime store.
  auto plan
    = plan_rebuild({{network_v4('a')}, {endpoint_of('2', 'a', false)}, {}, {}});
  EXPECT_EQ(orphans(plan), "");
  EXPECT_EQ(plan.endpoints[{id_of('a')}].size(), 1U);
}

TEST(PlanRebuild, AnEphemeralEndpointNeedsItsJoin) {
  auto plan = plan_rebuild(
    {{network_v4('a')}, {endpoint_of('1', 'a', true)}, {sandbox_of('b')}, {}});
  EXPECT_EQ(orphans(plan), "e1");
  EXPECT_TRUE(plan.endpoints[{id_of('a')}].empty());
}

TEST(PlanRebuild, AJoinNeedsItsSandbox) {
  auto plan
    = plan_rebuild({{network_v4('a')},
                    {endpoint_of('1', 'a', true), endpoint_of('2', 'a', false)},
                    {},
                    {join_of('1', 'a', 'b'), join_of('2', 'a', 'b')},
                    {}});
  EXPECT_EQ(orphans(plan), "j1j2e1");
  EXPECT_EQ(plan.endpoints[{id_of('a')}].size(), 1U);
  EXPECT_TRUE(plan.joins.empty());
}

// What a user has made is not removed because something else is missing.
TEST(PlanRebuild, ANetworkWithoutRecordIsStoodInFor) {
  auto plan
    = plan_rebuild({{},
                    {endpoint_of('1', 'a', true), endpoint_of('2', 'a', false),
                     endpoint_of('3', 'a', true)},
                    {sandbox_of('b')},
                    {join_of('1', 'a', 'b')},
                    {}});
  EXPECT_EQ(orphans(plan), "e3");
  ASSERT_EQ(plan.networks.size(), 1U);
  EXPECT_EQ(plan.networks[0].id.value, id_of('a'));
  EXPECT_EQ(plan.networks[0].name, "unknown-aaaaaaaaaaaa");
  EXPECT_EQ(plan.networks[0].driver, "");
  EXPECT_EQ(plan.endpoints[{id_of('a')}].size(), 2U);
  EXPECT_EQ(plan.joins.size(), 1U);
  EXPECT_EQ(plan.problems.size(), 1U);
}

TEST(PlanRebuild, AJoinIsInItsEndpointsNetwork) {
  auto plan = plan_rebuild({{network_v4('a')},
                            {endpoint_of('1', 'a', true)},
                            {sandbox_of('b')},
                            {join_of('1', 'f', 'b')},
                            {}});
  ASSERT_EQ(plan.joins.size(), 1U);
  EXPECT_EQ(plan.joins[0].network.value, id_of('a'));
}

TEST(PlanRebuild, TellsOfTwoWithOneName) {
  auto second = network_v4('c');
  second.name = network_v4('a').name;
  auto plan = plan_rebuild({{network_v4('a'), second}, {}, {}, {}, {}});
  EXPECT_EQ(plan.networks.size(), 2U);
  ASSERT_EQ(plan.problems.size(), 1U);
  EXPECT_NE(plan.problems[0].find("has the same name"), std::string::npos);
}

TEST(PlanRebuild, AJoinNeedsItsEndpoint) {
  auto plan = plan_rebuild(
    {{network_v4('a')}, {}, {sandbox_of('b')}, {join_of('1', 'a', 'b')}, {}});
  EXPECT_EQ(orphans(plan), "j1");
}

TEST(PlanRebuild, JoinsComeInTheOrderOfTheirInterfaces) {
  auto plan = plan_rebuild(
    {{network_v4('a'), network_v4('c')},
     {endpoint_of('1', 'a', true), endpoint_of('2', 'c', true)},
     {sandbox_of('b')},
     {join_of('1', 'a', 'b', "eth1"), join_of('2', 'c', 'b', "eth0")},
     {}});
  ASSERT_EQ(plan.joins.size(), 2U);
  EXPECT_EQ(plan.joins[0].interface, "eth0");
  EXPECT_EQ(plan.joins[1].interface, "eth1");
}

TEST(MayRemoveLeftovers, OnlyOnTheWordOfAnOldStore) {
  struct row {
    bool durable_is_new, runtime_is_new, rebooted, suspicious, expected;
  };
  constexpr auto table = std::array{
    row{false, false, false, false, true}, // An ordinary restart.
    row{false, true, true, false, true},   // A reboot.
    row{false, true, false, false, false}, // The run directory was emptied.
    row{true, true, false, false, false},  // First start, or all is lost.
    row{true, true, true, false, false},
    row{true, false, false, false, false}, // The state directory was lost.
    row{false, false, false, true, false}, // A restored backup.
    row{false, true, true, true, false},
  };
  for (const auto& x : table) {
    auto origin = persistence::origin{};
    origin.durable_is_new = x.durable_is_new;
    origin.runtime_is_new = x.runtime_is_new;
    origin.rebooted = x.rebooted;
    if (x.suspicious)
      origin.suspicious = "the store is older than it was";
    EXPECT_EQ(may_remove_leftovers(origin, false), x.expected)
      << &x - table.data();
    EXPECT_TRUE(may_remove_leftovers(origin, true)) << &x - table.data();
  }
}

TEST(LeftoversError, SaysWhyAndWhatToDo) {
  auto origin = persistence::origin{};
  origin.durable_is_new = true;
  auto why = leftovers_error(origin, 3);
  EXPECT_EQ(why.code, ec::conflict);
  EXPECT_EQ(why.message,
            "start: 3 kernel objects carry this daemon's tag but no record "
            "knows them: the store was just made");
  EXPECT_NE(why.hint.find("--remove-leftovers"), std::string::npos);
  origin.durable_is_new = false;
  EXPECT_NE(leftovers_error(origin, 3).message.find("runtime store is gone"),
            std::string::npos);
  origin.suspicious = "a backup was restored";
  EXPECT_NE(leftovers_error(origin, 3).message.find("a backup was restored"),
            std::string::npos);
}

} // namespace

} // namespace troupe::test
