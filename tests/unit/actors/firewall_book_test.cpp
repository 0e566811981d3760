#include "troupe/actors/services/firewall/book.hpp"

#include <gtest/gtest.h>

namespace troupe::test {

namespace {

using netns::firewall::element;
using netns::firewall::make_element;
using netns::firewall::set_id;
using netns::firewall::to_text;

element unguarded(std::string_view port) {
  return make_element(set_id::unguarded, {port}).value();
}

/// `+trp1 -trp2`: what a transaction does.
std::string text_of(const firewall_book::changes& xs) {
  auto text = std::string{};
  for (const auto& x : xs)
    text += (text.empty() ? "" : " ") + std::string{x.add ? "+" : "-"}
            + to_text(x.what).value();
  return text;
}

} // namespace

TEST(FirewallBook, WantsNothingAtFirst) {
  const auto book = firewall_book{};
  EXPECT_TRUE(book.empty());
  EXPECT_TRUE(book.all().empty());
  EXPECT_TRUE(book.of("a").empty());
}

TEST(FirewallBook, TellsOnlyWhatChanges) {
  auto book = firewall_book{};
  EXPECT_EQ(text_of(book.replace("a", {unguarded("trp1"), unguarded("trp2")})),
            "+\"trp1\" +\"trp2\"");
  EXPECT_EQ(text_of(book.replace("a", {unguarded("trp2"), unguarded("trp1")})),
            "");
  EXPECT_EQ(text_of(book.replace("a", {unguarded("trp2"), unguarded("trp3")})),
            "-\"trp1\" +\"trp3\"");
  EXPECT_EQ(book.of("a").size(), 2U);
}

TEST(FirewallBook, AnElementGoesWithTheLastWhoWantsIt) {
  auto book = firewall_book{};
  book.replace("a", {unguarded("trp1")});
  EXPECT_EQ(text_of(book.replace("b", {unguarded("trp1")})), "");
  EXPECT_EQ(text_of(book.replace("a", {})), "");
  EXPECT_EQ(book.all().size(), 1U);
  EXPECT_EQ(text_of(book.replace("b", {})), "-\"trp1\"");
  EXPECT_TRUE(book.empty());
}

TEST(FirewallBook, TheSameTwiceIsOnce) {
  auto book = firewall_book{};
  EXPECT_EQ(text_of(book.replace("a", {unguarded("trp1"), unguarded("trp1")})),
            "+\"trp1\"");
  EXPECT_EQ(text_of(book.replace("a", {})), "-\"trp1\"");
}

} // namespace troupe::test
