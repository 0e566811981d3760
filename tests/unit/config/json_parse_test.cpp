#include "troupe/config/model/json.hpp"

#include <gtest/gtest.h>

#include "random_values.hpp"

namespace troupe {
namespace {

struct refusal {
  std::string text;
  std::string message;
};

class BadJson : public ::testing::TestWithParam<refusal> {};

TEST_P(BadJson, IsRefusedWithItsPlace) {
  const auto& [text, message] = GetParam();
  auto parsed = parse_json(text);
  ASSERT_FALSE(parsed) << dump(*parsed);
  EXPECT_EQ(parsed.error().code, ec::invalid_argument);
  EXPECT_EQ(parsed.error().message, "parse json: " + message);
}

INSTANTIATE_TEST_SUITE_P(
  Rows, BadJson,
  ::testing::Values(
    refusal{"", "line 1, column 1: unexpected end of input; expected '[', "
                "'{', or a literal"},
    refusal{"{\"a\":1,}",
            "line 1, column 8: unexpected '}'; expected string literal"},
    refusal{"{\n  \"a\": 1,\n  \"a\": 2\n}",
            "line 3, column 3: duplicate key \"a\""},
    refusal{R"({"x":{"q\"":1,"q\"":2}})",
            R"(line 1, column 15: duplicate key "q\"")"},
    refusal{R"({"\\":1,"\\":2})", R"(line 1, column 9: duplicate key "\\")"},
    refusal{"{\"a\":1, \"\\u0061\":2}",
            "line 1, column 9: duplicate key \"a\""},
    refusal{"[1,2", "line 1, column 5: unexpected end of input; expected ']'"},
    refusal{"\"\xff\"",
            "line 1, column 2: invalid string: ill-formed UTF-8 byte"},
    refusal{"\"\xed\xa0\x80\"",
            "line 1, column 3: invalid string: ill-formed UTF-8 byte"},
    refusal{"1e999", "line 1, column 5: number is out of range"},
    refusal{"{} x", "line 1, column 4: invalid literal; expected end of input"},
    refusal{"// c\n{}", "line 1, column 1: invalid literal"},
    refusal{std::string{"{}\0{}", 5}, "line 1, column 3: NUL byte"},
    refusal{"\n\n\"abc", "line 3, column 5: invalid string: missing closing "
                         "quote"},
    refusal{"NaN", "line 1, column 1: invalid literal"},
    refusal{"'a'", "line 1, column 1: invalid literal"},
    refusal{"01",
            "line 1, column 2: unexpected number literal; expected end of "
            "input"}));

TEST(JsonLimits, BoundsTheSize) {
  auto limits = json_limits{};
  limits.max_bytes = 4;
  EXPECT_TRUE(parse_json("1234", limits));
  EXPECT_EQ(parse_json("12345", limits).error().message,
            "parse json: line 1, column 5: text has 5 bytes, at most 4 are "
            "taken");
}

TEST(JsonLimits, BoundsTheDepthBeforeBuildingIt) {
  auto nested = [](size_t n) {
    return std::string(n, '[') + std::string(n, ']');
  };
  EXPECT_TRUE(parse_json(nested(32)));
  EXPECT_EQ(parse_json(nested(33)).error().message,
            "parse json: line 1, column 33: nested deeper than 32 levels");
  EXPECT_FALSE(parse_json(nested(200'000)));
  EXPECT_FALSE(parse_json(std::string(500'000, '{')));
  auto objects = std::string{};
  for (auto i = 0; i < 40; ++i)
    objects += "{\"a\":";
  EXPECT_EQ(parse_json(objects).error().message,
            "parse json: line 1, column 161: nested deeper than 32 levels");
}

TEST(JsonLimits, AllowsCommentsOnRequest) {
  auto limits = json_limits{};
  limits.allow_comments = true;
  auto parsed = parse_json("// one\n{ /* two */ \"a\": 1 }", limits);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(dump(*parsed), R"({"a":1})");
}

TEST(ParseJsonFile, NamesFileLineAndColumn) {
  EXPECT_EQ(parse_json_file("/etc/x.json", "{\n  a: 1\n}", {}).error().message,
            "/etc/x.json:2:3: invalid literal; expected string literal");
}

TEST(ParseJsonFile, RemembersWhereThingsWereWritten) {
  auto places = json_places{};
  auto text = "{\n  \"a\": 1,\n  \"b\": [\n    {\"c\": 2},\n    [{}]\n  ]\n}";
  ASSERT_TRUE(parse_json_file("x", text, {}, &places));
  auto at = [&](const char* path) {
    auto i = places.find(path);
    return i == places.end() ? std::string{"nowhere"}
                             : std::to_string(i->second.line) + ":"
                                 + std::to_string(i->second.column);
  };
  EXPECT_EQ(at(""), "1:1");
  EXPECT_EQ(at("a"), "2:3");
  EXPECT_EQ(at("b"), "3:3");
  EXPECT_EQ(at("b[0]"), "4:5");
  EXPECT_EQ(at("b[0].c"), "4:6");
  EXPECT_EQ(at("b[1]"), "5:5");
  EXPECT_EQ(at("b[1][0]"), "5:6");
}

TEST(Dump, ReplacesInvalidUtf8) {
  EXPECT_EQ(dump(json("a\xff")), "\"a\xef\xbf\xbd\"");
}

TEST(Dump, IndentsOnRequest) {
  EXPECT_EQ(dump(json{{"a", 1}}, 2), "{\n  \"a\": 1\n}");
}

json random_json(int depth) {
  switch (*rc::gen::inRange(0, depth > 0 ? 7 : 5)) {
  case 0:
    return nullptr;
  case 1:
    return *rc::gen::arbitrary<bool>();
  case 2:
    return *rc::gen::arbitrary<int64_t>();
  case 3:
    return *rc::gen::arbitrary<uint64_t>();
  case 4:
    return test::draw<std::string>();
  case 5: {
    auto result = json::array();
    for (auto n = *rc::gen::inRange(0, 3); n > 0; --n)
      result.push_back(random_json(depth - 1));
    return result;
  }
  default: {
    auto result = json::object();
    for (auto n = *rc::gen::inRange(0, 3); n > 0; --n)
      result[test::draw<std::string>()] = random_json(depth - 1);
    return result;
  }
  }
}

TEST(ParseJsonProperty, ReadsWhatDumpWrites) {
  test::check([] {
    auto x = random_json(4);
    auto indent = *rc::gen::inRange(-1, 3);
    auto places = json_places{};
    auto parsed = parse_json_file("x", dump(x, indent), {}, &places);
    RC_ASSERT(parsed.has_value());
    RC_ASSERT(*parsed == x);
  });
}

// The library's own parser is the judge, where it is as strict as ours.
TEST(ParseJsonProperty, AcceptsNothingTheLibraryRefuses) {
  test::check([] {
    auto text = dump(random_json(3));
    auto edits = *rc::gen::inRange(1, 4);
    for (auto i = 0; i < edits && !text.empty(); ++i)
      text[*rc::gen::inRange<size_t>(0, text.size())]
        = *rc::gen::element('{', '}', '[', ']', ',', ':', '"', '1', '\\', 'e');
    auto parsed = parse_json(text);
    if (parsed)
      RC_ASSERT(json::parse(text, nullptr, false) == *parsed);
    else
      RC_ASSERT(json::parse(text, nullptr, false).is_discarded()
                || parsed.error().message.find("duplicate")
                     != std::string::npos);
  });
}

TEST(ParseJsonProperty, SurvivesAnyBytes) {
  test::check([] {
    auto text = *rc::gen::arbitrary<std::string>();
    auto places = json_places{};
    auto limits = json_limits{};
    limits.allow_comments = *rc::gen::arbitrary<bool>();
    auto parsed = parse_json_file("x", text, limits, &places);
    RC_ASSERT(parsed || !parsed.error().message.empty());
  });
}

} // namespace
} // namespace troupe
