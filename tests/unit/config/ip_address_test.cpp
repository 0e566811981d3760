#include "troupe/config/model/address.hpp"

#include <gtest/gtest.h>

#include "random_values.hpp"
#include <vector>

#include <arpa/inet.h>

namespace troupe {
namespace {

ip_address address(std::string_view text) {
  auto parsed = ip_address::parse(text);
  EXPECT_TRUE(parsed) << text;
  return parsed.value_or(ip_address{});
}

struct text_row {
  const char* text;
  const char* canonical;
};

class IpAddressText : public ::testing::TestWithParam<text_row> {};

TEST_P(IpAddressText, IsCanonical) {
  auto [text, canonical] = GetParam();
  EXPECT_EQ(to_string(address(text)), canonical);
}

// The examples of RFC 5952, sections 1 to 5, and the corners of IPv4.
INSTANTIATE_TEST_SUITE_P(
  Rows, IpAddressText,
  ::testing::Values(text_row{"0.0.0.0", "0.0.0.0"},
                    text_row{"255.255.255.255", "255.255.255.255"},
                    text_row{"10.0.200.3", "10.0.200.3"}, text_row{"::", "::"},
                    text_row{"::1", "::1"}, text_row{"1::", "1::"},
                    text_row{"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
                    text_row{"2001:0db8::0001", "2001:db8::1"},
                    text_row{"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
                    text_row{"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
                    text_row{"2001:DB8::ABCD:EF12", "2001:db8::abcd:ef12"},
                    text_row{"0:0:0:0:0:0:0:0", "::"},
                    text_row{"0:0:1:0:0:1:0:0", "::1:0:0:1:0:0"},
                    text_row{"1:0:0:0:0:0:0:2", "1::2"},
                    text_row{"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
                    text_row{"::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
                    text_row{"fe80:0:0:0:0:0:0:0", "fe80::"},
                    text_row{"::1.2.3.4", "::102:304"},
                    text_row{"64:ff9b::1.2.3.4", "64:ff9b::102:304"},
                    text_row{"::ffff:10.0.0.1", "10.0.0.1"},
                    text_row{"::ffff:a00:1", "10.0.0.1"},
                    text_row{"::fffe:10.0.0.1", "::fffe:a00:1"}));

class BadAddress : public ::testing::TestWithParam<std::string> {};

TEST_P(BadAddress, IsRefused) {
  auto parsed = ip_address::parse(GetParam());
  ASSERT_FALSE(parsed) << to_string(*parsed);
  EXPECT_EQ(parsed.error().code, ec::invalid_argument);
}

INSTANTIATE_TEST_SUITE_P(
  Rows, BadAddress,
  ::testing::Values("", " ", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4",
                    "1.2.3.04", "1.2.3.4 ", " 1.2.3.4", "1.2.3.4\n", "1..3.4",
                    "1.2.3.-4", "+1.2.3.4", "0x1.2.3.4", "1.2.3.4/8", ":",
                    ":::", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9",
                    "1:2:3:4:5:6:7:8::", "::12345", "::g", "fe80::1%eth0",
                    "::1.2.3", "::1.2.3.4:1", "1.2.3.4::", "[::1]",
                    std::string{"1.2.3.4\0", 8}, std::string{"\0", 1},
                    std::string(1000, '1'), "localhost", "10", "::01.2.3.4"));

TEST(IpAddressError, SaysWhatIsWrong) {
  EXPECT_EQ(ip_address::parse("").error().message,
            "parse address \"\": is empty");
  EXPECT_EQ(ip_address::parse("ten").error().message,
            "parse address \"ten\": not an IPv4 or IPv6 address");
  EXPECT_EQ(ip_address::parse("fe80::1%eth0").error().hint,
            "leave out the zone");
  EXPECT_EQ(ip_address::parse("10.0.0.1/8").error().hint,
            "give an address without a length");
}

TEST(IpAddress, MakesNumbers) {
  EXPECT_EQ(address("10.0.0.1").number(), uint128{0x0a000001});
  EXPECT_EQ(address("::1").number(), uint128{1});
  EXPECT_EQ(address("ffff::").number(), uint128{0xffff} << 112U);
  EXPECT_EQ(
    to_string(ip_address::from_number(ip_family::v6, uint128{1} << 64U)),
    "0:0:0:1::");
  EXPECT_EQ(to_string(ip_address::from_number(ip_family::v4, 0xffffffff)),
            "255.255.255.255");
}

TEST(IpAddress, KeepsItsFamilyWhenMadeFromBytes) {
  auto mapped = ip_address::from_number(ip_family::v6, 0xffff0a000001);
  EXPECT_TRUE(mapped.is_v6());
  EXPECT_EQ(to_string(mapped), "::ffff:10.0.0.1");
}

TEST(IpAddress, OrdersIpv4BeforeIpv6ThenByValue) {
  auto sorted = std::vector{address("0.0.0.0"),  address("9.255.0.0"),
                            address("10.0.0.0"), address("255.0.0.0"),
                            address("::"),       address("::1"),
                            address("ff00::")};
  for (size_t i = 1; i < sorted.size(); ++i)
    EXPECT_LT(sorted[i - 1], sorted[i]);
}

TEST(IpAddress, KnowsTheSpecialRanges) {
  EXPECT_TRUE(address("0.0.0.0").is_unspecified());
  EXPECT_TRUE(address("::").is_unspecified());
  EXPECT_FALSE(address("0.0.0.1").is_unspecified());
  EXPECT_TRUE(address("127.255.0.1").is_loopback());
  EXPECT_TRUE(address("::1").is_loopback());
  EXPECT_FALSE(address("128.0.0.1").is_loopback());
  EXPECT_FALSE(address("::2").is_loopback());
  EXPECT_TRUE(address("224.0.0.1").is_multicast());
  EXPECT_TRUE(address("239.255.255.255").is_multicast());
  EXPECT_FALSE(address("240.0.0.0").is_multicast());
  EXPECT_FALSE(address("223.255.255.255").is_multicast());
  EXPECT_TRUE(address("ff02::1").is_multicast());
  EXPECT_FALSE(address("fe00::1").is_multicast());
  EXPECT_TRUE(address("169.254.1.1").is_link_local());
  EXPECT_FALSE(address("169.253.1.1").is_link_local());
  EXPECT_TRUE(address("fe80::1").is_link_local());
  EXPECT_TRUE(address("febf::1").is_link_local());
  EXPECT_FALSE(address("fec0::1").is_link_local());
}

TEST(IpAddressProperty, ComesBackFromItsText) {
  test::check([] {
    auto x = test::draw<ip_address>();
    RC_ASSERT(ip_address::parse(to_string(x)) == x);
  });
}

TEST(IpAddressProperty, ComesBackFromItsNumberAndBytes) {
  test::check([] {
    auto x = test::draw<ip_address>();
    RC_ASSERT(ip_address::from_number(x.family(), x.number()) == x);
    RC_ASSERT(ip_address::from_bytes(x.family(), x.bytes().data()) == x);
  });
}

// inet_ntop follows RFC 5952 except in ::/96, where it writes IPv4 tails.
TEST(IpAddressProperty, IsWrittenAsTheCLibraryWritesIt) {
  test::check([] {
    auto x = test::draw<ip_address>();
    RC_PRE(x.is_v4() || x.number() >> 32U != 0);
    auto buffer = std::array<char, INET6_ADDRSTRLEN>{};
    auto* text = inet_ntop(x.is_v4() ? AF_INET : AF_INET6, x.bytes().data(),
                           buffer.data(), buffer.size());
    RC_ASSERT(to_string(x) == text);
  });
}

TEST(IpAddressProperty, ReadsAnyTextWithoutFailing) {
  test::check([] {
    auto text = *rc::gen::container<std::string>(
      rc::gen::elementOf(std::string{"0125af:::..%/ "}));
    if (auto x = ip_address::parse(text))
      RC_ASSERT(ip_address::parse(to_string(*x)) == *x);
  });
}

} // namespace
} // namespace troupe
