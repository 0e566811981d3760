#include "troupe/config/model/reference.hpp"

#include <gtest/gtest.h>

namespace troupe {

namespace {

const auto id_1 = std::string{"aa11"} + std::string(60, '0');
const auto id_2 = std::string{"aa22"} + std::string(60, '0');
const auto id_3 = std::string{"bb33"} + std::string(60, '0');

name_index
index_of(std::initializer_list<std::pair<std::string, std::string>> objects) {
  auto result = name_index{};
  for (const auto& [id, name] : objects)
    result.add(id, name);
  return result;
}

// The third object is called like the first one's id.
const auto names = index_of({{id_1, "web"}, {id_2, "bb3"}, {id_3, id_1}});

result<std::string> find(const name_index& in, std::string_view text,
                         std::string_view kind = "network") {
  auto found = choose_match(in.matches(text), text, kind);
  if (!found)
    return fail(std::move(found.error()));
  return found->id;
}

TEST(Reference, TakesAFullIdFirst) {
  EXPECT_EQ(find(names, id_1).value(), id_1);
}

TEST(Reference, TakesANameBeforeAPrefix) {
  EXPECT_EQ(find(names, "bb3").value(), id_2);
  EXPECT_EQ(find(names, "web").value(), id_1);
}

TEST(Reference, TakesAUniquePrefixOfAnyLength) {
  EXPECT_EQ(find(names, "b").value(), id_3);
  EXPECT_EQ(find(names, "aa1").value(), id_1);
  EXPECT_EQ(find(names, id_2.substr(0, 63)).value(), id_2);
}

TEST(Reference, ListsWhatAnAmbiguousPrefixMayMean) {
  auto found = find(names, "aa");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, ec::invalid_argument);
  EXPECT_EQ(found.error().message,
            "find network \"aa\": more than one id starts like this: "
            "bb3 (aa2200000000), web (aa1100000000)");
  EXPECT_EQ(found.error().hint, "give more digits, or the name");
}

TEST(Reference, ListsObjectsOfOneName) { // Only odd records have such.
  auto found = find(index_of({{id_1, "x"}, {id_3, "x"}}), "x", "sandbox");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().message,
            "find sandbox \"x\": more than one has this name: "
            "x (aa1100000000), x (bb3300000000)");
  EXPECT_EQ(found.error().hint, "give the id");
}

TEST(Reference, ListsAFewOnly) {
  auto many = name_index{};
  for (auto i = 0; i < 20; ++i)
    many.add(std::string(62, 'c') + std::to_string(10 + i),
             "ep" + std::to_string(i));
  auto found = find(many, "c");
  ASSERT_FALSE(found);
  EXPECT_TRUE(found.error().message.ends_with(" and 12 more"))
    << found.error().message;
}

TEST(Reference, NamesOfOddRecordsDoNotReachTheTerminal) {
  auto found = find(index_of({{id_1, "x\n"}, {id_2, "y"}}), "a");
  ASSERT_FALSE(found);
  EXPECT_TRUE(is_printable(found.error().message)) << found.error().message;
}

TEST(Reference, SaysWhatIsNotThere) {
  for (auto text : {"cc", "WEB", "we", "aa3", "zz"}) {
    auto found = find(names, text, "sandbox");
    ASSERT_FALSE(found) << text;
    EXPECT_EQ(found.error().code, ec::not_found);
    EXPECT_EQ(found.error().message,
              "find sandbox \"" + std::string{text} + "\": no such sandbox");
    EXPECT_EQ(found.error().hint, "list them with: troupe sandbox ls");
  }
}

TEST(Reference, RefusesEmptyText) {
  auto found = find(names, "", "endpoint");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, ec::invalid_argument);
  EXPECT_EQ(found.error().message, "find endpoint: the name is empty");
}

TEST(Reference, FindsNothingInAnEmptyList) {
  EXPECT_EQ(find({}, "a").error().code, ec::not_found);
}

// Each of several lists answers by itself; the strongest of all wins.
TEST(Reference, ComparesTheAnswersOfSeveralLists) {
  const auto a = index_of({{"c1" + std::string(62, '0'), "one"},
                           {"c2" + std::string(62, '0'), "two"}});
  const auto b = index_of({{"c3" + std::string(62, '0'), "three"}});
  const auto c = index_of({{"d1" + std::string(62, '0'), "c"}});
  auto both
    = [](const name_index& x, const name_index& y, std::string_view text) {
        auto all = x.matches(text);
        for (auto& match : y.matches(text))
          all.push_back(std::move(match));
        return choose_match(std::move(all), text, "endpoint");
      };
  // Ambiguous in the first, unique in the second: ambiguous.
  EXPECT_EQ(both(a, b, "c").error().code, ec::invalid_argument);
  // A name wins over the prefixes of others, in either order.
  EXPECT_EQ(both(a, c, "c").value().title, "c");
  EXPECT_EQ(both(c, a, "c").value().title, "c");
  EXPECT_EQ(both(a, b, "c3").value().title, "three");
}

TEST(NameIndex, ForgetsAndRenames) {
  auto x = index_of({{id_1, "a"}});
  x.add(id_1, "b");
  EXPECT_EQ(x.id_of_name("a"), "");
  EXPECT_EQ(x.id_of_name("b"), id_1);
  x.remove(id_1);
  x.remove(id_1);
  EXPECT_EQ(x.id_of_name("b"), "");
  EXPECT_TRUE(x.matches(id_1).empty());
}

} // namespace

} // namespace troupe
