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

/// Reads a record into an otherwise empty snapshot.
snapshot read(table in, const std::string& text,
              environment where = environment::durable) {
  auto content = snapshot{};
  add_record(content, where, in, id_text(1), text);
  return content;
}

TEST(AddRecord, ARecordHasTheIdOfItsKey) { // By which it can be removed.
  auto content = read(table::networks, *to_edit(make_network(2))->text);
  ASSERT_EQ(content.networks.size(), 1u);
  EXPECT_EQ(content.networks[0].id.value, id_text(1));
  ASSERT_EQ(content.problems.size(), 1u);
  EXPECT_NE(content.problems[0].find("networks/" + id_text(1)),
            std::string::npos);
}

TEST(AddRecord, TellsWhatItDoesNotUnderstandAndKeepsTheRest) {
  for (const char* text :
       {"", "[]", "{", "null", R"({"id":5})",
        R"({"ipv4":"x","name":"web","ports":[{"proto":"quic"}]})"}) {
    auto content = read(table::endpoints, text);
    ASSERT_EQ(content.endpoints.size(), 1u) << text;
    EXPECT_EQ(content.endpoints[0].id.value, id_text(1)) << text;
    ASSERT_FALSE(content.problems.empty()) << text;
    for (const auto& x : content.problems)
      EXPECT_TRUE(x.starts_with("record endpoints/" + id_text(1))) << x;
  }
  auto content = read(table::endpoints, R"({"ipv4":"x","name":"web"})");
  EXPECT_EQ(content.endpoints[0].name, "web");
}

TEST(AddRecord, NothingIsBuiltForHalfANetwork) {
  for (const char* text : {"", R"({"driver":"bridge","pools":[{"subnet":7}]})"})
    EXPECT_EQ(read(table::networks, text).networks[0].driver, "") << text;
}

TEST(AddRecord, AnEndpointIsEphemeralWhereItLies) {
  auto ephemeral = *to_edit(make_endpoint(1, true))->text;
  EXPECT_FALSE(read(table::endpoints, ephemeral).endpoints[0].ephemeral);
  EXPECT_TRUE(
    read(table::endpoints, "{}", environment::runtime).endpoints[0].ephemeral);
}

TEST(AddRecord, IgnoresUnknownAndDefaultsMissingFields) {
  auto content
    = read(table::networks, R"({"id":")" + id_text(1) + R"(","colour":"red"})");
  EXPECT_TRUE(content.problems.empty());
  EXPECT_EQ(content.networks[0].driver, "bridge");
}

TEST(KeepUnknown, KeepsWhatCouldNotBeRead) {
  auto stored = to_json(make_endpoint(1));
  stored["ports"] = json::array({{{"proto", "quic"}, {"port", 80}}});
  stored["priority"] = "high";
  auto changed = make_endpoint(1);
  changed.priority = 7;
  auto kept = parse_json(
    keep_unknown(table::endpoints, dump(stored), dump(to_json(changed))));
  ASSERT_TRUE(kept);
  EXPECT_EQ((*kept)["ports"], stored["ports"]);
  EXPECT_EQ((*kept)["priority"], 7); // Somebody has changed it.
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
