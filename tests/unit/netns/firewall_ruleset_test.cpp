#include "troupe/netns/firewall/parts.hpp"
#include "troupe/netns/firewall/ruleset.hpp"
#include "troupe/tests/unit/netns/kernel_contract.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace troupe::test {

using namespace netns::firewall;

namespace {

std::string golden(const char* name) {
  auto file = std::ifstream{std::string{GOLDEN_DIR} + "/" + name};
  auto text = std::ostringstream{};
  text << file.rdbuf();
  return text.str();
}

constexpr auto group = uint32_t{0x74000002};

} // namespace

TEST(Ruleset, IsWhatAPersonHasRead) {
  auto elements = std::vector{
    make_element(set_id::enter, {ip_family::v4, std::string_view{"br-0"}},
                 {verdict::in_nat})
      .value(),
    make_element(set_id::publish4_any, {protocol::tcp, uint16_t{8080}},
                 {ip("10.1.0.2"), uint16_t{80}})
      .value(),
    make_element(set_id::publish4_any, {protocol::udp, uint16_t{53}},
                 {ip("10.1.0.3"), uint16_t{53}})
      .value(),
    make_element(set_id::unguarded, {std::string_view{"trp0"}}).value()};
  auto text = render({"troupe_0a1b2c", accept_mark{2, 3}, group}, elements, {},
                     {true, true})
                .value();
  EXPECT_EQ(text, golden("ruleset.nft"))
    << "after a change on purpose, write this to tests/golden/ruleset.nft:\n"
    << text;
}

TEST(Ruleset, HasNoMarkWithoutOne) {
  auto text = render({"troupe_0a1b2c", {}, group}, {}, {}, {}).value();
  EXPECT_EQ(text.find("meta mark"), std::string::npos);
  EXPECT_EQ(text.find("before_troupe"), std::string::npos);
  EXPECT_EQ(text.find('$'), std::string::npos);
  EXPECT_EQ(text.find("add element"), std::string::npos);
}

TEST(Ruleset, MakesOnlyTheChainsOfTheUserThatAreNotThere) {
  auto make = [](missing_chains x) {
    return render({"troupe_0a1b2c", {}, group}, {}, {}, x).value();
  };
  EXPECT_EQ(make({}).find("troupe_user"), std::string::npos);
  auto text = make({.input = true});
  EXPECT_NE(text.find("chain before_troupe_input {"), std::string::npos);
  EXPECT_EQ(text.find("chain before_troupe {"), std::string::npos);
  text = make({.forward = true});
  EXPECT_NE(text.find("chain before_troupe {"), std::string::npos);
  EXPECT_EQ(text.find("before_troupe_input"), std::string::npos);
}

TEST(Ruleset, DeclaresEverySetAsItsSchemaSays) {
  auto text = std::string{ruleset_text()};
  for (const auto& x : all_sets()) {
    auto line = std::string{x.data.empty() ? "set " : "map "};
    line.append(x.name).append(" { ");
    line += x.id == set_id::guard_nd ? "typeof iifname . @th,64,128"
                                     : "type " + type_name(x.key);
    if (!x.data.empty())
      line += " : " + type_name(x.data);
    EXPECT_NE(text.find(line + "; }"), std::string::npos) << line;
  }
}

TEST(Ruleset, HasAChainForEachVerdict) {
  auto text = std::string{ruleset_text()};
  for (auto x : {verdict::in_nat, verdict::in_open, verdict::in_routed,
                 verdict::in_internal})
    EXPECT_NE(text.find("chain " + std::string{to_string(x)} + " {"),
              std::string::npos);
}

TEST(Ruleset, RefusesOtherTableNames) {
  for (auto name :
       {"", "troupe_", "troupe_user", "troupe_0a1b2", "filter",
        "troupe_0a1b2c; flush ruleset", "troupe_0a1b2C", "troupe_0a1b2c\n"})
    EXPECT_TRUE(
      fails_with(ec::invalid_argument, render({name, {}, group}, {}, {}, {})))
      << name;
}

TEST(Ruleset, RefusesGroupsThatAreNotOnlyOurs) {
  for (auto bad : {0U, group + 1})
    EXPECT_TRUE(fails_with(ec::invalid_argument,
                           render({"troupe_0a1b2c", {}, bad}, {}, {}, {})));
}

TEST(Ruleset, SplitsLongListsOfElements) {
  auto elements = std::vector<element>{};
  for (uint16_t i = 1; i <= 2500; ++i)
    elements.push_back(make_element(set_id::publish4_any, {protocol::tcp, i},
                                    {ip("10.1.0.2"), uint16_t{80}})
                         .value());
  auto text = render({"troupe_0a1b2c", {}, group}, elements, {}, {}).value();
  auto count = size_t{0};
  for (auto at = text.find("add element"); at != std::string::npos;
       at = text.find("add element", at + 1))
    ++count;
  EXPECT_EQ(count, 3U);
}

} // namespace troupe::test
