#include "troupe/tests/unit/actors/doctor_world.hpp"

namespace troupe::test {

namespace {

/// What nft prints of a table with the elements that the records want, but
/// those of the guard.
struct printed_rules : healthy_world {
  printed_rules() {
    network.options["spoof_guard"] = "false";
    views.store.networks = {network};
    views.networks[0].spec = network;
    views.store.joins[0].bindings = {{protocol::tcp, 80, ip("0.0.0.0"), 8080}};
    const auto b = "\"" + bridge + "\"";
    const auto pair = R"({"concat":[)" + b + "," + b + "]}";
    const auto in_nat = R"({"goto":{"target":"in_nat"}})";
    elements
      = {{"map", "within", "[" + pair + R"(,{"accept":null}])"},
         {"set", "hairpin", pair},
         {"set", "networks", b},
         {"map", "enter",
          R"([{"concat":["ipv4",)" + b + "]}," + in_nat
            + R"(],[{"concat":["ipv6",)" + b + "]}," + in_nat + "]"},
         {"set", "masquerade_from",
          R"({"concat":["ipv4",)" + b + R"(]},{"concat":["ipv6",)" + b + "]}"},
         {"set", "self4", R"({"concat":["10.1.0.2","10.1.0.2"]})"},
         {"map", "publish4_any",
          R"([{"concat":["tcp",8080]},{"concat":["10.1.0.2",80]}])"},
         {"set", "proxied", R"({"concat":["tcp",8080]})"},
         {"set", "unguarded", "\"" + host_end + "\""}};
  }

  struct set {
    std::string kind, name, elements;
  };

  void print() {
    auto text = std::string{R"({"nftables":[{"metainfo":{"version":"1"}})"};
    for (const auto& x : elements)
      text += ",{\"" + x.kind + R"(":{"name":")" + x.name + R"(","elem":[)"
              + x.elements + "]}}";
    views.kernel.rules = {text + "]}"};
  }

  std::vector<set> elements;
};

TEST_F(printed_rules, AreWhatTheRecordsWant) {
  print();
  EXPECT_EQ(finding(), "");
}

// Whose doing it is that the host forwards stands in the kernel alone.
TEST_F(printed_rules, SayWhatTheHostForwardsForUsAlone) {
  elements.push_back({"set", "no_router", R"("ipv4","ipv6")"});
  print();
  EXPECT_EQ(finding(), "");
}

TEST_F(printed_rules, LackAPort) {
  elements[6].elements.clear();
  print();
  EXPECT_EQ(finding(), "firewall: publish4_any tcp . 8080 : 10.1.0.2 . 80 is "
                       "missing -> load the rules anew");
}

TEST_F(printed_rules, HaveAnElementMore) {
  elements[2].elements += R"(,"docker0")";
  print();
  EXPECT_EQ(finding(), "firewall: networks docker0 belongs to nobody -> load "
                       "the rules anew");
}

TEST_F(printed_rules, AreAllGone) {
  views.kernel.rules.emplace();
  EXPECT_NE(finding().find("firewall: within " + bridge), std::string::npos);
}

TEST_F(printed_rules, AreNoJson) {
  print();
  views.kernel.rules->push_back("Error: no");
  EXPECT_EQ(finding(), "firewall: nft prints something else than its tables -> "
                       "load the rules anew");
}

} // namespace

} // namespace troupe::test
