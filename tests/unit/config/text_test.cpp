#include "troupe/config/model/text.hpp"

#include <gtest/gtest.h>

namespace troupe {

namespace {

TEST(CheckText, TakesPrintableUtf8Only) {
  for (auto good : {"", "a", "a b\\c\"", "größe", "日本", "🎭"})
    EXPECT_TRUE(check_text(good, "label", 100)) << good;
  for (auto bad : {"a\nb", "\x1b[2J", "a\tb", "\x7f", "\xc2\x85", "\xff",
                   "\xc0\xaf", "a\xe2\x82"})
    EXPECT_FALSE(check_text(bad, "label", 100)) << bad;
  EXPECT_FALSE(check_text(std::string_view{"a\0b", 3}, "label", 100));
  EXPECT_FALSE(check_text("abc", "label", 2));
}

TEST(CheckText, SaysWhatIsWrong) {
  EXPECT_EQ(check_text("a\n", "label", 100).error().message,
            "label \"a\\x0a\": holds a control character or is not valid "
            "UTF-8");
  EXPECT_EQ(check_text("abc", "label", 2).error().message,
            "label \"abc\": has 3 bytes, at most 2");
}

TEST(CheckTextMap, ChecksKeysAndValues) {
  EXPECT_TRUE(check_text_map({{"com.example", "a b"}, {"x", ""}}, "label"));
  EXPECT_FALSE(check_text_map({{"", "x"}}, "label"));
  EXPECT_FALSE(check_text_map({{"a\n", "x"}}, "label"));
  auto bad = check_text_map({{"a", "x\r"}}, "label");
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code, ec::invalid_argument);
  EXPECT_EQ(bad.error().message.substr(0, 16), "label \"a\": value");
}

TEST(CheckHostName, TakesWhatAHostCanBeCalled) {
  for (auto good : {"", "a", "web-1", "a_b", "1a2b3c", "web.example.com",
                    "example.com.", "A.B"})
    EXPECT_TRUE(check_host_name(good, "hostname", 64)) << good;
  for (auto bad : {"a b", "-a", "a-", "a..b", ".", ".a", "a\n\x1b[2Jb", "größe",
                   "a/b", "a:b", "a.-b"})
    EXPECT_FALSE(check_host_name(bad, "hostname", 64)) << bad;
  EXPECT_TRUE(check_host_name(std::string(63, 'a'), "hostname", 64));
  EXPECT_FALSE(check_host_name(std::string(64, 'a'), "hostname", 64));
  EXPECT_FALSE(check_host_name(
    std::string(40, 'a') + "." + std::string(40, 'b'), "hostname", 64));
}

} // namespace

} // namespace troupe
