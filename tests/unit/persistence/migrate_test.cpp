#include "troupe/persistence/migrate.hpp"

#include "fixture.hpp"

namespace troupe::persistence {

namespace {

result<void> rename_networks(contents& x) {
  for (auto& [key, text] : x.records[0])
    text += " renamed";
  return {};
}

result<void> drop_joins(contents& x) {
  x.records[3].clear();
  return {};
}

result<void> give_up(contents&) {
  return fail(ec::internal, "split pools: no pool");
}

constexpr auto steps = std::to_array<migration>(
  {{1, "rename networks", rename_networks}, {2, "drop joins", drop_joins}});

contents of_version(int version) {
  auto result = contents{};
  result.state.schema = version;
  result.state.program = "troupe 9.9";
  result.records[0].emplace("n", "network");
  result.records[3].emplace("j", "join");
  return result;
}

} // namespace

TEST(Migrate, RunsTheStepsInOrder) {
  auto content = of_version(1);
  ASSERT_TRUE(migrate(content, steps, 3));
  EXPECT_EQ(content.state.schema, 3);
  EXPECT_EQ(content.records[0]["n"], "network renamed");
  EXPECT_TRUE(content.records[3].empty());
}

TEST(Migrate, BeginsAtTheVersionFound) {
  auto content = of_version(2);
  ASSERT_TRUE(migrate(content, steps, 3));
  EXPECT_EQ(content.records[0]["n"], "network");
  EXPECT_TRUE(content.records[3].empty());
}

TEST(Migrate, LeavesTheCurrentVersionAlone) {
  auto content = of_version(3);
  ASSERT_TRUE(migrate(content, steps, 3));
  EXPECT_EQ(content.records[3].size(), 1u);
}

TEST(Migrate, RefusesANewerVersionAndNamesItsProgram) {
  auto content = of_version(4);
  auto done = migrate(content, steps, 3);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ec::unsupported);
  EXPECT_NE(done.error().message.find("version 4"), std::string::npos);
  EXPECT_NE(done.error().hint.find("troupe 9.9"), std::string::npos);
}

TEST(Migrate, RefusesAnOlderVersionWithoutAWay) {
  auto content = of_version(0);
  auto done = migrate(content, steps, 3);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ec::unsupported);
}

TEST(Migrate, ReportsTheStepThatFails) {
  constexpr auto bad = std::to_array<migration>({{1, "split", give_up}});
  auto content = of_version(1);
  auto done = migrate(content, bad, 2);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().message,
            "migrate store from schema version 1: split pools: no pool");
}

TEST(Migrations, FormAChainUpToTheCurrentVersion) {
  int expected = 1;
  for (const auto& step : migrations())
    EXPECT_EQ(step.from, expected++);
  EXPECT_EQ(expected, schema_version);
}

TEST_F(store_test, RefusesANewerStoreAndLeavesItAlone) {
  auto content = contents{};
  content.state.schema = schema_version + 1;
  content.state.program = "troupe 9.9";
  content.state.environment = "durable";
  std::filesystem::create_directories(how.durable_dir);
  ASSERT_TRUE(database::create(how.durable_dir, content, {}));
  auto before = read_file(durable_file());
  auto store = open();
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ec::unsupported);
  EXPECT_NE(store.error().message.find("schema version 2"), std::string::npos);
  EXPECT_NE(store.error().hint.find("troupe 9.9"), std::string::npos);
  EXPECT_EQ(read_file(durable_file()), before);
}

TEST_F(store_test, RefusesAnOlderStoreWithoutAWayAndLeavesItAlone) {
  auto content = contents{};
  content.state.schema = 0;
  content.state.environment = "durable";
  std::filesystem::create_directories(how.durable_dir);
  ASSERT_TRUE(database::create(how.durable_dir, content, {}));
  auto before = read_file(durable_file());
  auto store = open();
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ec::unsupported);
  EXPECT_EQ(read_file(durable_file()), before);
}

} // namespace troupe::persistence
