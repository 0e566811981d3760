#include "troupe/actors/reference.hpp"

#include <gtest/gtest.h>

namespace troupe {

namespace {

using name_map = std::map<std::string, std::string>;

const auto id_1 = std::string{"aa11"} + std::string(60, '0');
const auto id_2 = std::string{"aa22"} + std::string(60, '0');
const auto id_3 = std::string{"bb33"} + std::string(60, '0');

const auto names = name_map{{id_1, "web"}, {id_2, "bb3"}, {id_3, id_1}};

TEST(FindReference, TakesAFullIdFirst) {
  // The third object is called like the first one's id.
  EXPECT_EQ(find_reference(names, id_1, "network").value(), id_1);
}

TEST(FindReference, TakesANameBeforeAPrefix) {
  EXPECT_EQ(find_reference(names, "bb3", "network").value(), id_2);
  EXPECT_EQ(find_reference(names, "web", "network").value(), id_1);
}

TEST(FindReference, TakesAUniquePrefixOfAnyLength) {
  EXPECT_EQ(find_reference(names, "b", "network").value(), id_3);
  EXPECT_EQ(find_reference(names, "aa1", "network").value(), id_1);
  EXPECT_EQ(find_reference(names, id_2.substr(0, 63), "network").value(), id_2);
}

TEST(FindReference, RefusesAnAmbiguousPrefix) {
  auto found = find_reference(names, "aa", "network");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, ec::invalid_argument);
  EXPECT_EQ(found.error().message,
            "find network \"aa\": more than one id starts like this");
  EXPECT_EQ(found.error().hint, "give more digits, or the name");
}

TEST(FindReference, SaysWhatIsNotThere) {
  for (auto text : {"cc", "WEB", "we", "aa3", "zz"}) {
    auto found = find_reference(names, text, "sandbox");
    ASSERT_FALSE(found) << text;
    EXPECT_EQ(found.error().code, ec::not_found);
    EXPECT_EQ(found.error().message,
              "find sandbox \"" + std::string{text} + "\": no such sandbox");
    EXPECT_EQ(found.error().hint, "list them with: troupe sandbox ls");
  }
}

TEST(FindReference, RefusesEmptyText) {
  auto found = find_reference(names, "", "endpoint");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, ec::invalid_argument);
  EXPECT_EQ(found.error().message, "find endpoint: the name is empty");
}

TEST(FindReference, FindsNothingInAnEmptyList) {
  EXPECT_EQ(find_reference({}, "a", "network").error().code, ec::not_found);
}

} // namespace

} // namespace troupe
