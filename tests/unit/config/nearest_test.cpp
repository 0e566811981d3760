#include "troupe/config/model/nearest.hpp"

#include <gtest/gtest.h>

#include <array>

namespace troupe {
namespace {

constexpr auto words = std::array<std::string_view, 6>{
  "id", "name", "state-dir", "run-dir", "max-queue", "max-requests"};

TEST(Nearest, FindsTyposOfEveryKind) {
  EXPECT_EQ(nearest("nam", words), "name");
  EXPECT_EQ(nearest("namee", words), "name");
  EXPECT_EQ(nearest("nmae", words), "name");
  EXPECT_EQ(nearest("nome", words), "name");
  EXPECT_EQ(nearest("state_dir", words), "state-dir");
  EXPECT_EQ(nearest("STATE-DIR", words), "state-dir");
  EXPECT_EQ(nearest("max-qeue", words), "max-queue");
}

TEST(Nearest, CountsASwapAsOne) {
  constexpr auto two = std::array<std::string_view, 2>{"abxx", "abdc"};
  EXPECT_EQ(nearest("abcd", two), "abdc");
}

TEST(Nearest, GuessesNothingFarAway) {
  EXPECT_EQ(nearest("colour", words), "");
  EXPECT_EQ(nearest("", words), "");
  EXPECT_EQ(nearest("xy", words), "");
  EXPECT_EQ(nearest("name", {}), "");
  EXPECT_EQ(nearest(std::string(100'000, 'n'), words), "");
}

TEST(Nearest, PrefersTheFirstOfEquals) {
  constexpr auto two = std::array<std::string_view, 2>{"cat", "car"};
  EXPECT_EQ(nearest("caz", two), "cat");
}

TEST(Nearest, SurvivesEmptyCandidates) {
  constexpr auto two = std::array<std::string_view, 2>{"", "name"};
  EXPECT_EQ(nearest("", two), "");
  EXPECT_EQ(nearest("nam", two), "name");
}

TEST(NearestHint, NamesTheNearestOrElseAll) {
  EXPECT_EQ(nearest_hint("nmae", words), "did you mean \"name\"?");
  constexpr auto two = std::array<std::string_view, 2>{"id", "name"};
  EXPECT_EQ(nearest_hint("colour", two), "known: id, name");
  EXPECT_EQ(nearest_hint("colour", {}), "");
}

} // namespace
} // namespace troupe
