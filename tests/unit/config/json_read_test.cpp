#include "troupe/actors/api/messages.hpp"
#include "troupe/config/model/json.hpp"

#include <gtest/gtest.h>

namespace troupe {
namespace {

struct numbers {
  uint16_t small = 7;
  int8_t tiny = 0;
  int64_t large = 0;
  uint64_t huge = 0;
  bool flag = false;

  static constexpr auto fields() {
    return std::tuple{
      field{"small", &numbers::small}, field{"tiny", &numbers::tiny},
      field{"large", &numbers::large}, field{"huge", &numbers::huge},
      field{"flag", &numbers::flag}};
  }
};

template <class T>
result<T>
read(const std::string& text, unknown_fields policy = unknown_fields::refuse) {
  auto parsed = parse_json(text);
  EXPECT_TRUE(parsed) << text;
  return from_json<T>(*parsed, policy);
}

struct refusal {
  const char* text;
  const char* message;
  const char* hint = "";
};

class BadNumber : public ::testing::TestWithParam<refusal> {};

TEST_P(BadNumber, IsRefused) {
  auto [text, message, hint] = GetParam();
  auto value = read<numbers>(text);
  ASSERT_FALSE(value);
  EXPECT_EQ(value.error().message, message);
  EXPECT_EQ(value.error().code, ec::invalid_argument);
}

INSTANTIATE_TEST_SUITE_P(
  Rows, BadNumber,
  ::testing::Values(
    refusal{R"({"small":-1})",
            "small: must be an integer from 0 to 65535, not -1"},
    refusal{R"({"small":65536})",
            "small: must be an integer from 0 to 65535, not 65536"},
    refusal{R"({"small":1.5})",
            "small: must be an integer from 0 to 65535, not 1.5"},
    refusal{R"({"small":1.0})",
            "small: must be an integer from 0 to 65535, not 1.0"},
    refusal{R"({"small":true})",
            "small: must be an integer from 0 to 65535, not true"},
    refusal{R"({"small":"1"})",
            R"(small: must be an integer from 0 to 65535, not "1")"},
    refusal{R"({"small":null})",
            "small: must be an integer from 0 to 65535, not null"},
    refusal{R"({"tiny":128})",
            "tiny: must be an integer from -128 to 127, not 128"},
    refusal{R"({"tiny":-129})",
            "tiny: must be an integer from -128 to 127, not -129"},
    refusal{R"({"large":9223372036854775808})",
            "large: must be a 64-bit integer, not 9223372036854775808"},
    refusal{R"({"huge":18446744073709551616})",
            "huge: must be an unsigned 64-bit integer, not "
            "1.8446744073709552e+19"},
    refusal{R"({"huge":-1})",
            "huge: must be an unsigned 64-bit integer, not -1"},
    refusal{R"({"flag":1})", "flag: must be true or false, not 1"},
    refusal{R"({"flag":"true"})",
            R"(flag: must be true or false, not "true")"}));

TEST(JsonNumbers, AreTakenUpToTheirBounds) {
  auto value = read<numbers>(
    R"({"small":65535,"tiny":-128,"large":-9223372036854775808,)"
    R"("huge":18446744073709551615,"flag":true})");
  ASSERT_TRUE(value);
  EXPECT_EQ(value->small, 65535);
  EXPECT_EQ(value->tiny, -128);
  EXPECT_EQ(value->large, INT64_MIN);
  EXPECT_EQ(value->huge, UINT64_MAX);
  EXPECT_TRUE(value->flag);
}

TEST(JsonNumbers, MayBeSignedWhenAProgramMadeThem) {
  auto document = json::object();
  document["small"] = int64_t{5};
  document["tiny"] = uint64_t{6};
  auto value = from_json<numbers>(document);
  ASSERT_TRUE(value);
  EXPECT_EQ(value->small, 5);
  EXPECT_EQ(value->tiny, 6);
}

class BadRequest : public ::testing::TestWithParam<refusal> {};

TEST_P(BadRequest, IsRefusedWithPathAndHint) {
  auto [text, message, hint] = GetParam();
  auto value = read<create_network>(text);
  ASSERT_FALSE(value);
  EXPECT_EQ(value.error().message, message);
  EXPECT_EQ(value.error().hint, hint);
}

INSTANTIATE_TEST_SUITE_P(
  Rows, BadRequest,
  ::testing::Values(
    refusal{"[]", "must be an object, not an array"},
    refusal{"null", "must be an object, not null"},
    refusal{R"({"spce":{}})", R"(unknown field "spce")",
            R"(did you mean "spec"?)"},
    refusal{R"({"spec":{"nmae":"a"}})", R"(spec: unknown field "nmae")",
            R"(did you mean "name"?)"},
    refusal{R"({"spec":{"name":null}})",
            "spec.name: must be a string, not null"},
    refusal{R"({"spec":{"name":{}}})",
            "spec.name: must be a string, not an object"},
    refusal{R"({"spec":{"pools":[{"subnet":"10.0.0.0/24"},)"
            R"({"subnet":"10.0.0.1/24"}]}})",
            R"(spec.pools[1].subnet: parse subnet "10.0.0.1/24": host bits )"
            "are set",
            "use 10.0.0.0/24"},
    refusal{R"({"spec":{"pools":[{"subnet":5}]}})",
            "spec.pools[0].subnet: must be a string, not 5"},
    refusal{R"({"spec":{"pools":[{"aux_addresses":{"a.b":"x"}}]}})",
            R"(spec.pools[0].aux_addresses["a.b"]: parse address "x": not an )"
            "IPv4 or IPv6 address"},
    refusal{R"({"spec":{"pools":{}}})",
            "spec.pools: must be an array, not an object"},
    refusal{R"({"spec":{"labels":{"a\n":1}}})",
            R"(spec.labels["a\x0a"]: must be a string, not 1)"},
    refusal{R"({"spec":{"id":"12ab"}})",
            R"(spec.id: parse id "12ab": not 64 hex digits)"},
    refusal{R"({"spec":{"pools":[{"gatway":"10.0.0.1"}]}})",
            R"(spec.pools[0]: unknown field "gatway")",
            R"(did you mean "gateway"?)"},
    refusal{R"({"spec":{"pools":[{"x":1}]}})",
            R"(spec.pools[0]: unknown field "x")",
            "known: subnet, ip_range, gateway, aux_addresses"}));

TEST(FromJson, PutsWhereInFront) {
  auto value = from_json<create_network>(
    json{{"spec", 1}}, unknown_fields::refuse, "networks/12ab");
  EXPECT_EQ(value.error().message,
            "networks/12ab: spec: must be an object, not 1");
}

TEST(FromJson, KeepsDefaultsOfAbsentFields) {
  auto value = read<create_network>(R"({"spec":{"name":"a"}})");
  ASSERT_TRUE(value);
  auto wanted = create_network{};
  wanted.spec.name = "a";
  EXPECT_EQ(*value, wanted);
  EXPECT_EQ(value->spec.driver, "bridge");
}

TEST(FromJson, IgnoresFieldsOfNewerVersionsWhenToldTo) {
  auto text = R"({"spec":{"name":"a","colour":"red"},"more":[1,{}]})";
  EXPECT_FALSE(read<create_network>(text));
  auto value = read<create_network>(text, unknown_fields::ignore);
  ASSERT_TRUE(value);
  EXPECT_EQ(value->spec.name, "a");
}

TEST(FromJson, TakesNullAndAbsenceForAnEmptyOptional) {
  EXPECT_FALSE(read<ipam_pool>(R"({"gateway":null})")->gateway);
  EXPECT_FALSE(read<ipam_pool>("{}")->gateway);
  EXPECT_EQ(to_string(*read<ipam_pool>(R"({"gateway":"10.0.0.1"})")->gateway),
            "10.0.0.1");
}

TEST(FromJson, TakesEmptyTextForNoId) {
  EXPECT_TRUE(read<network_spec>(R"({"id":""})")->id.empty());
}

TEST(ToJson, IsWhatClientsSee) {
  auto x = network_spec{};
  x.id.value = std::string(64, 'a');
  x.name = "web";
  x.pools.resize(1);
  x.pools[0].subnet = prefix::parse("10.1.0.0/16").value();
  x.pools[0].aux_addresses["router"] = ip_address::parse("10.1.0.9").value();
  x.labels["team"] = "a\"b";
  x.created_ms = 5;
  EXPECT_EQ(dump(to_json(x)),
            R"({"created_ms":5,"driver":"bridge","enable_ipv4":true,)"
            R"("enable_ipv6":false,"id":")"
              + x.id.value
              + R"(","internal":false,"ipam_driver":"default",)"
                R"("labels":{"team":"a\"b"},"name":"web","options":{},)"
                R"("pools":[{"aux_addresses":{"router":"10.1.0.9"},)"
                R"("subnet":"10.1.0.0/16"}]})");
}

TEST(ToJson, WritesAnObjectForARecordWithoutFields) {
  EXPECT_EQ(dump(to_json(done{})), "{}");
  EXPECT_TRUE(read<done>("{}"));
  EXPECT_FALSE(read<done>(R"({"a":1})"));
}

TEST(ToJson, WritesNullForAnEmptyOptionalInAList) {
  auto xs = std::vector<std::optional<ip_address>>(2);
  xs[1] = ip_address::parse("::1").value();
  EXPECT_EQ(dump(to_json(xs)), R"([null,"::1"])");
  EXPECT_EQ(from_json<decltype(xs)>(to_json(xs)), xs);
}

TEST(JsonReader, KnowsTheCulprit) {
  auto reader = json_reader{unknown_fields::refuse};
  auto value = create_network{};
  EXPECT_FALSE(reader.read(*parse_json(R"({"spec":{"nmae":1}})"), value));
  EXPECT_EQ(reader.culprit(), "spec.nmae");
  EXPECT_EQ(reader.why().message, R"(unknown field "nmae")");
  EXPECT_EQ(reader.failure().message, R"(spec: unknown field "nmae")");
}

} // namespace
} // namespace troupe
