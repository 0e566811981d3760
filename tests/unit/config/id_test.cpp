#include "troupe/config/model/id.hpp"
#include "troupe/config/model/random.hpp"

#include <gtest/gtest.h>

#include "random_values.hpp"
#include <iomanip>
#include <set>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

namespace troupe {
namespace {

TEST(Id, IsSixtyFourHexDigits) {
  auto id = random_hex_id();
  EXPECT_EQ(id.size(), 64U);
  EXPECT_TRUE(is_hex_id(id)) << id;
}

TEST(Id, NeverRepeats) {
  auto seen = std::set<std::string>{};
  for (auto i = 0; i < 1000; ++i)
    EXPECT_TRUE(seen.insert(random_hex_id()).second);
}

TEST(Id, DiffersBetweenThreads) {
  auto mine = random_hex_id();
  auto other = std::string{};
  std::thread{[&] {
    other = random_hex_id();
  }}.join();
  EXPECT_NE(mine, other);
}

TEST(Id, DiffersFromThatOfAForkedChild) {
  random_hex_id(); // The batch is filled; a child inherits it.
  int ends[2] = {};
  ASSERT_EQ(pipe(ends), 0);
  auto child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto id = random_hex_id();
    auto n = write(ends[1], id.data(), id.size());
    _exit(n == 64 ? 0 : 1);
  }
  auto theirs = std::string(64, ' ');
  EXPECT_EQ(read(ends[0], theirs.data(), theirs.size()), 64);
  auto status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_NE(random_hex_id(), theirs);
  close(ends[0]);
  close(ends[1]);
}

TEST(Id, UsesEveryDigitInEveryPlace) {
  auto seen = std::array<std::set<char>, 64>{};
  for (auto i = 0; i < 500; ++i) {
    auto id = random_hex_id();
    for (size_t place = 0; place < 64; ++place)
      seen[place].insert(id[place]);
  }
  // Each misses a given digit with a probability of (15/16)^500 = 1e-14.
  for (const auto& digits : seen)
    EXPECT_EQ(digits.size(), 16U);
}

TEST(Id, ParsesItsOwnTextAndNothingElse) {
  auto id = network_id::random();
  EXPECT_EQ(network_id::parse(to_string(id)), id);
  auto wrong = id.value;
  wrong[5] = 'A';
  EXPECT_FALSE(network_id::parse(wrong));
  EXPECT_FALSE(network_id::parse(id.brief()));
  EXPECT_FALSE(network_id::parse(id.value + "0"));
  EXPECT_EQ(network_id::parse("../x").error().message,
            "parse id \"../x\": not 64 hex digits");
}

TEST(Id, IsShownAsTwelveDigits) {
  auto id = endpoint_id{std::string(12, 'a') + std::string(52, 'b')};
  EXPECT_EQ(id.brief(), "aaaaaaaaaaaa");
  EXPECT_EQ(endpoint_id{}.brief(), "");
  EXPECT_TRUE(endpoint_id{}.empty());
}

TEST(FillRandom, ServesRequestsLargerThanItsBatch) {
  auto bytes = std::array<uint8_t, 5000>{};
  fill_random(bytes);
  auto zeros = std::count(bytes.begin(), bytes.end(), 0);
  EXPECT_LT(zeros, 100); // About 20 are expected.
}

TEST(Name, AcceptsWhatTheFieldAccepts) {
  for (const auto* text : {"a", "Z", "0", "web", "a_b.c-d", "1.2.3"})
    EXPECT_TRUE(is_valid_name(text)) << text;
  EXPECT_TRUE(is_valid_name(std::string(128, 'x')));
}

struct bad_name {
  std::string text;
  std::string message;
};

class BadName : public ::testing::TestWithParam<bad_name> {};

TEST_P(BadName, IsRefusedWithTheReason) {
  const auto& [text, message] = GetParam();
  EXPECT_FALSE(is_valid_name(text));
  auto checked = check_name(text, "network");
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code, ec::invalid_argument);
  EXPECT_EQ(checked.error().message, message);
  EXPECT_FALSE(checked.error().hint.empty());
}

INSTANTIATE_TEST_SUITE_P(
  Texts, BadName,
  ::testing::Values(
    bad_name{"", R"(network name "": is empty)"},
    bad_name{"a/b", R"(network name "a/b": must not contain "/")"},
    bad_name{"..", R"(network name "..": must start with a letter or digit)"},
    bad_name{"-rf", R"(network name "-rf": must start with a letter or digit)"},
    bad_name{"a\n", R"(network name "a\x0a": must not contain "\x0a")"},
    bad_name{"a\"b", R"(network name "a\"b": must not contain "\"")"},
    bad_name{std::string{"a\0b", 3},
             R"(network name "a\x00b": must not contain "\x00")"},
    bad_name{"grün", R"(network name "grün": must not contain "ü")"},
    bad_name{"a\xff", R"(network name "a\xff": must not contain "\xff")"},
    bad_name{"a b", R"(network name "a b": must not contain " ")"},
    bad_name{std::string(300, 'x'), "network name \"" + std::string(40, 'x')
                                      + "…\": has 300 bytes, at most 128"}));

TEST(Name, NeedsNoMessageWhenItIsRight) {
  EXPECT_TRUE(check_name("web", "network"));
}

TEST(Quoted, EscapesWhatCouldChangeATerminalOrALog) {
  EXPECT_EQ(quoted("plain"), "\"plain\"");
  EXPECT_EQ(quoted("\x1b[2J\r\n\t\x7f"), R"("\x1b[2J\x0d\x0a\x09\x7f")");
  EXPECT_EQ(quoted("a\"b\\c"), R"("a\"b\\c")");
  EXPECT_EQ(quoted("\xc2\x9b"), R"("\xc2\x9b")"); // C1 control: CSI.
}

TEST(Quoted, KeepsUtf8AndEscapesWhatOnlyLooksLikeIt) {
  EXPECT_EQ(quoted("é€😀"), "\"é€😀\"");
  EXPECT_EQ(quoted("\xc0\xaf"), R"("\xc0\xaf")");         // Overlong.
  EXPECT_EQ(quoted("\xed\xa0\x80"), R"("\xed\xa0\x80")"); // Surrogate.
  EXPECT_EQ(quoted("\xf4\x90\x80\x80"), R"("\xf4\x90\x80\x80")");
  EXPECT_EQ(quoted("\xe2\x82"), R"("\xe2\x82")"); // Cut off.
}

TEST(Quoted, CutsAfterFortyBytesButNotInsideACharacter) {
  EXPECT_EQ(quoted(std::string(40, 'a')), "\"" + std::string(40, 'a') + "\"");
  EXPECT_EQ(quoted(std::string(41, 'a')), "\"" + std::string(40, 'a') + "…\"");
  EXPECT_EQ(quoted(std::string(39, 'a') + "é"),
            "\"" + std::string(39, 'a') + "…\"");
}

TEST(Quoted, IsOursAlsoWhereIomanipIsIncluded) {
  auto text = std::string{"x"};
  const auto& constant = text;
  std::string mine = quoted(text) + quoted(constant) + quoted(std::string{"y"});
  EXPECT_EQ(mine, R"("x""x""y")");
}

TEST(Quoted, NeverShowsAControlByte) {
  test::check([] {
    auto text = *rc::gen::arbitrary<std::string>();
    auto shown = quoted(text);
    for (auto c : shown)
      RC_ASSERT(static_cast<unsigned char>(c) >= 0x20);
    RC_ASSERT(shown.size() <= 2 + 4 * 40 + 3);
  });
}

} // namespace
} // namespace troupe
