#include "troupe/actors/embedded/live_faults.hpp"
#include "troupe/tests/lab/scenario.hpp"

#include <gtest/gtest.h>

#include <cerrno>

namespace troupe::testing {

namespace {

/// Message and hint of the refusal.
std::string refusal(std::string_view text) {
  auto x = load_scenario("s.json", text);
  if (x)
    return "accepted";
  return x.error().message + " | " + x.error().hint;
}

TEST(Scenario, ReadsEverything) {
  auto x = load_scenario("s.json", R"({
    // With comments.
    "name": "mine", "clients": 2, "operations": 10, "objects": 3,
    "duration-ms": 5000, "swarm": false, "mix": {"attach": 1},
    "faults": [{"fault": "kernel-fail", "on": "add_veth", "error": "ENOBUFS",
                "nth": 3, "for-ever": true, "per-mille": 100}]
  })");
  ASSERT_TRUE(x) << x.error().message;
  EXPECT_EQ(x->name, "mine");
  EXPECT_EQ(x->mix.attach, 1);
  EXPECT_EQ(x->mix.detach, operation_mix{}.detach);
  ASSERT_EQ(x->faults.size(), 1U);
  EXPECT_EQ(x->faults[0].fault, fault_kind::kernel_fail);
  EXPECT_EQ(x->faults[0].nth, 3);
}

TEST(Scenario, NamesPlaceAndNearestKeyOfATypo) {
  EXPECT_EQ(
    refusal("{\n  \"cleints\": 2}"),
    "s.json:2:3: unknown field \"cleints\" | did you mean \"clients\"?");
  EXPECT_NE(refusal("{\"mix\": {\"atach\": 2}}").find("attach"),
            std::string::npos);
  EXPECT_NE(
    refusal("{\"faults\": [{\"fault\": \"kernel-fial\"}]}").find("kernel-fail"),
    std::string::npos);
}

TEST(Scenario, RefusesValuesOutOfRange) {
  EXPECT_EQ(refusal("{\"clients\": 17}"),
            "s.json:1:2: clients: must be from 1 to 16, not 17 | ");
  EXPECT_NE(refusal("{\"operations\": 0}").find("from 1"), std::string::npos);
  EXPECT_NE(refusal("{\"mix\": {\"attach\": -1}}").find("mix.attach"),
            std::string::npos);
  EXPECT_NE(refusal("{\"faults\": [{\"fault\": \"kernel-fail\","
                    " \"per-mille\": 1001}]}")
              .find("faults[0].per-mille"),
            std::string::npos);
}

TEST(Scenario, RefusesUnknownCallsActorsAndErrors) {
  EXPECT_NE(refusal("{\"faults\": [{\"fault\": \"kernel-fail\","
                    " \"on\": \"add_vetch\"}]}")
              .find("did you mean \"add_veth\"?"),
            std::string::npos);
  EXPECT_NE(refusal("{\"faults\": [{\"fault\": \"message-drop\","
                    " \"on\": \"stor\"}]}")
              .find("did you mean \"store\"?"),
            std::string::npos);
  EXPECT_NE(refusal("{\"faults\": [{\"fault\": \"kernel-fail\","
                    " \"error\": \"ENOBUF\"}]}")
              .find("did you mean \"ENOBUFS\"?"),
            std::string::npos);
  EXPECT_NE(refusal("{\"faults\": [{\"fault\": \"store-full\","
                    " \"error\": \"EIO\"}]}")
              .find("faults[0].error"),
            std::string::npos);
}

TEST(Scenario, RefusesAMixWithoutOperations) {
  EXPECT_NE(refusal(R"({"mix": {"create-network": 0, "remove-network": 0,
    "create-endpoint": 0, "remove-endpoint": 0, "create-sandbox": 0,
    "remove-sandbox": 0, "join": 0, "leave": 0, "attach": 0, "detach": 0,
    "publish": 0, "unpublish": 0, "inspect": 0, "doctor": 0}})")
              .find("all operations are 0"),
            std::string::npos);
}

TEST(Scenario, RefusesWhatIsNoJson) {
  EXPECT_NE(refusal("{\"clients\": ").find("s.json:1"), std::string::npos);
  EXPECT_NE(refusal("[]"), "accepted");
}

TEST(Scenario, HasEveryFaultInTheSwarm) {
  EXPECT_EQ(swarm_scenario().faults.size(), enum_names<fault_kind>.size());
  EXPECT_TRUE(swarm_scenario().swarm);
}

TEST(Scenario, NamesItsErrors) {
  EXPECT_EQ(error_named("ENOBUFS"), ENOBUFS);
  EXPECT_EQ(error_named("EWHAT"), 0);
}

} // namespace

TEST(Scenario, HasFaultsThatARunningDaemonUnderstands) {
  auto names = [](const auto& x) {
    auto result = std::vector<std::string_view>{};
    for_each_field(x, [&](std::string_view name, const auto&) {
      result.push_back(name);
    });
    return result;
  };
  EXPECT_EQ(names(testing::fault_setting{}), names(fault_spec{}));
  auto faults = live_faults{};
  auto understood = 0;
  for (auto kind : enum_names<testing::fault_kind>) {
    auto wanted = fault_spec{};
    wanted.fault = kind;
    auto added = faults.add({{wanted}, {}});
    const auto is_live
      = (kind.starts_with("kernel-") || kind.starts_with("store-"))
        && !kind.ends_with("power-loss"); // Of the whole machine.
    EXPECT_EQ(added.has_value(), is_live) << kind;
    understood += added.has_value();
  }
  EXPECT_EQ(understood, 10);
}

} // namespace troupe::testing
