#include "troupe/config/model/json.hpp"
#include "troupe/persistence/records.hpp"

#include "fixture.hpp"

namespace troupe::persistence {

TEST(ToEdit, PutsEachRecordWhereItBelongs) {
  auto where = [](const change& x) {
    auto what = to_edit(x).value();
    return std::pair{what.where, what.in};
  };
  EXPECT_EQ(where(make_network(1)),
            std::pair(environment::durable, table::networks));
  EXPECT_EQ(where(make_endpoint(1)),
            std::pair(environment::durable, table::endpoints));
  EXPECT_EQ(where(make_endpoint(1, true)),
            std::pair(environment::runtime, table::endpoints));
  EXPECT_EQ(where(make_sandbox(1)),
            std::pair(environment::runtime, table::sandboxes));
  EXPECT_EQ(where(make_join(1)), std::pair(environment::runtime, table::joins));
  EXPECT_EQ(where(remove_endpoint_record{{id_text(1)}, true}),
            std::pair(environment::runtime, table::endpoints));
}

TEST(ToEdit, RemovesWithoutAText) {
  EXPECT_FALSE(to_edit(remove_network_record{{id_text(1)}})->text);
  EXPECT_FALSE(to_edit(remove_sandbox_record{}));
}

TEST(AddRecord, RefusesARecordUnderAnotherKey) {
  auto text = *to_edit(make_network(1))->text;
  auto content = snapshot{};
  EXPECT_TRUE(add_record(content, table::networks, id_text(1), text));
  auto done = add_record(content, table::networks, id_text(2), text);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ec::internal);
  EXPECT_NE(done.error().message.find("networks/" + id_text(2)),
            std::string::npos);
}

TEST(AddRecord, NamesTheRecordItDoesNotUnderstand) {
  auto content = snapshot{};
  for (const char* text : {"", "[]", "{", R"({"id":5})", R"({"ipv4":"x"})"}) {
    auto done = add_record(content, table::endpoints, id_text(3), text);
    ASSERT_FALSE(done) << text;
    EXPECT_EQ(done.error().message.rfind("read endpoints/", 0), 0u);
    EXPECT_FALSE(done.error().hint.empty());
  }
}

TEST(AddRecord, IgnoresUnknownAndDefaultsMissingFields) {
  auto content = snapshot{};
  auto text = R"({"id":")" + id_text(1) + R"(","colour":"red"})";
  ASSERT_TRUE(add_record(content, table::networks, id_text(1), text));
  EXPECT_EQ(content.networks[0].driver, "bridge");
}

TEST(KeepUnknown, CarriesOverMembersOfANewerVersion) {
  auto stored = to_json(make_network(1));
  stored["colour"] = "red";
  stored["nested"] = {{"deep", {1, 2}}};
  stored["pools"][0]["lease_ms"] = 5;
  auto changed = make_network(1);
  changed.name = "renamed";
  auto kept = parse_json(
    keep_unknown(table::networks, dump(stored), dump(to_json(changed))));
  ASSERT_TRUE(kept);
  EXPECT_EQ((*kept)["colour"], "red");
  EXPECT_EQ((*kept)["nested"]["deep"][1], 2);
  EXPECT_EQ((*kept)["pools"][0]["lease_ms"], 5);
  EXPECT_EQ((*kept)["name"], "renamed");
}

TEST(KeepUnknown, DoesNotResurrectWhatWasCleared) {
  auto old = make_endpoint(1);
  old.ipv4 = ip_address::parse("10.1.0.5").value();
  old.labels["gone"] = "soon";
  auto fresh = dump(to_json(make_endpoint(1)));
  EXPECT_EQ(keep_unknown(table::endpoints, dump(to_json(old)), fresh), fresh);
}

TEST(KeepUnknown, GivesUpOnAnUnreadableOldRecord) {
  EXPECT_EQ(keep_unknown(table::networks, "junk", "{}"), "{}");
}

TEST_F(store_test, KeepsUnknownFieldsOverARewrite) {
  auto stored = to_json(make_network(1));
  stored["colour"] = "red";
  auto content = contents{};
  content.state.environment = "durable";
  content.records[0].emplace(id_text(1), dump(stored));
  std::filesystem::create_directories(how.durable_dir);
  ASSERT_TRUE(database::create(how.durable_dir, content, {}));
  {
    auto store = open();
    ASSERT_TRUE(store) << store.error().message;
    auto changed = make_network(1);
    changed.name = "renamed";
    ASSERT_TRUE(commit(**store, {changed}));
  }
  ASSERT_TRUE(open());
  auto bytes = read_file(durable_file());
  EXPECT_NE(bytes.find(R"("colour":"red")"), std::string::npos);
  EXPECT_NE(bytes.find(R"("name":"renamed")"), std::string::npos);
}

} // namespace troupe::persistence
