#include "troupe/config/model/address.hpp"

#include <gtest/gtest.h>

#include "random_values.hpp"

namespace troupe {
namespace {

prefix net(std::string_view text) {
  auto parsed = prefix::parse(text);
  EXPECT_TRUE(parsed) << text << ": " << parsed.error().message;
  return parsed.value_or(prefix{});
}

ip_address address(std::string_view text) {
  return ip_address::parse(text).value();
}

struct refusal {
  const char* text;
  const char* message;
  const char* hint;
};

class BadSubnet : public ::testing::TestWithParam<refusal> {};

TEST_P(BadSubnet, IsRefusedWithReasonAndHint) {
  auto [text, message, hint] = GetParam();
  auto parsed = prefix::parse(text);
  ASSERT_FALSE(parsed) << to_string(*parsed);
  EXPECT_EQ(parsed.error().code, ec::invalid_argument);
  EXPECT_EQ(parsed.error().message, message);
  EXPECT_EQ(parsed.error().hint, hint);
}

constexpr auto length_hint = "add one, e.g. 10.1.0.0/16 or fd00::/64";

INSTANTIATE_TEST_SUITE_P(
  Rows, BadSubnet,
  ::testing::Values(
    refusal{"10.1.2.3/16", "parse subnet \"10.1.2.3/16\": host bits are set",
            "use 10.1.0.0/16"},
    refusal{"fd00::1/64", "parse subnet \"fd00::1/64\": host bits are set",
            "use fd00::/64"},
    refusal{"1.0.0.0/0", "parse subnet \"1.0.0.0/0\": host bits are set",
            "use 0.0.0.0/0"},
    refusal{"10.0.0.0", "parse subnet \"10.0.0.0\": has no length",
            length_hint},
    refusal{"", "parse subnet \"\": has no length", length_hint},
    refusal{"10.0.0.0/33",
            "parse subnet \"10.0.0.0/33\": length is not a number from 0 to 32",
            ""},
    refusal{"fd00::/129",
            "parse subnet \"fd00::/129\": length is not a number from 0 to 128",
            ""},
    refusal{"10.0.0.0/",
            "parse subnet \"10.0.0.0/\": length is not a number from 0 to 32",
            ""},
    refusal{"10.0.0.0/08",
            "parse subnet \"10.0.0.0/08\": length is not a number from 0 to 32",
            ""},
    refusal{"10.0.0.0/+8",
            "parse subnet \"10.0.0.0/+8\": length is not a number from 0 to 32",
            ""},
    refusal{"10.0.0.0/-1",
            "parse subnet \"10.0.0.0/-1\": length is not a number from 0 to 32",
            ""},
    refusal{
      "10.0.0.0/8/8",
      "parse subnet \"10.0.0.0/8/8\": length is not a number from 0 to 32", ""},
    refusal{
      "10.0.0.0/264",
      "parse subnet \"10.0.0.0/264\": length is not a number from 0 to 32", ""},
    refusal{"10.0.0/8",
            "parse subnet \"10.0.0/8\": not an IPv4 or IPv6 address before "
            "\"/\"",
            ""},
    refusal{"fe80::%1/64",
            "parse subnet \"fe80::%1/64\": not an IPv4 or IPv6 address before "
            "\"/\"",
            "leave out the zone"},
    refusal{"::ffff:10.0.0.0/104",
            "parse subnet \"::ffff:10.0.0.0/104\": is IPv4 mapped into IPv6",
            "write the IPv4 form: 10.0.0.0/<length>"}));

TEST(Prefix, ClearsHostBitsWhenConstructed) {
  EXPECT_EQ(to_string(prefix{address("10.1.2.3"), 16}), "10.1.0.0/16");
  EXPECT_EQ(to_string(prefix{address("10.1.2.3"), 0}), "0.0.0.0/0");
  EXPECT_EQ(to_string(prefix{address("10.1.2.3"), 32}), "10.1.2.3/32");
  EXPECT_EQ(to_string(prefix{address("fd00::1"), 0}), "::/0");
  EXPECT_EQ(to_string(prefix{address("fd00::1"), 127}), "fd00::/127");
}

TEST(Prefix, HasABeginAnEndAndASize) {
  EXPECT_EQ(to_string(net("10.1.0.0/16").first()), "10.1.0.0");
  EXPECT_EQ(to_string(net("10.1.0.0/16").last()), "10.1.255.255");
  EXPECT_EQ(net("10.1.0.0/16").size(), uint128{65536});
  EXPECT_EQ(net("10.1.0.1/32").size(), uint128{1});
  EXPECT_EQ(net("0.0.0.0/0").size(), uint128{1} << 32U);
  EXPECT_EQ(net("fd00::/64").size(), uint128{1} << 64U);
  EXPECT_EQ(to_string(net("fd00::/64").last()), "fd00::ffff:ffff:ffff:ffff");
  EXPECT_EQ(net("::/1").size(), uint128{1} << 127U);
  EXPECT_EQ(net("::/0").size(), uint128{0}); // Stands for 2^128.
  EXPECT_EQ(to_string(net("::/0").last()),
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
}

TEST(Prefix, ReachesEveryAddressByNumber) {
  auto subnet = net("10.1.0.252/30");
  EXPECT_EQ(to_string(subnet.at(0)), "10.1.0.252");
  EXPECT_EQ(to_string(subnet.at(3)), "10.1.0.255");
  EXPECT_EQ(to_string(net("::/0").at(~uint128{0})),
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
}

TEST(Prefix, OrdersByAddressThenLength) {
  EXPECT_LT(net("10.0.0.0/8"), net("10.0.0.0/9"));
  EXPECT_LT(net("10.0.0.0/9"), net("10.128.0.0/9"));
  EXPECT_LT(net("255.0.0.0/8"), net("::/0"));
}

TEST(Prefix, NeverCrossesFamilies) {
  EXPECT_FALSE(net("0.0.0.0/0").contains(address("::1")));
  EXPECT_FALSE(net("::/0").contains(address("10.0.0.1")));
  EXPECT_FALSE(net("::/0").contains(net("10.0.0.0/8")));
  EXPECT_FALSE(net("::/0").overlaps(net("0.0.0.0/0")));
}

TEST(InterfaceAddress, KeepsHostBits) {
  auto x = interface_address::parse("10.1.0.5/16");
  ASSERT_TRUE(x);
  EXPECT_EQ(to_string(*x), "10.1.0.5/16");
  EXPECT_EQ(to_string(x->subnet()), "10.1.0.0/16");
  EXPECT_EQ(interface_address::parse("10.1.0.5").error().message,
            "parse interface address \"10.1.0.5\": has no length");
}

// -- against models too simple to be wrong -----------------------------------

bool bit(const ip_address& x, unsigned i) {
  return ((x.bytes()[i / 8] >> (7 - i % 8)) & 1) != 0;
}

bool share_first_bits(const ip_address& x, const ip_address& y, unsigned n) {
  for (auto i = 0U; i < n; ++i)
    if (bit(x, i) != bit(y, i))
      return false;
  return x.family() == y.family();
}

// An address that often lies in the subnet, and else differs in one bit.
ip_address near(const prefix& subnet) {
  auto flips = *rc::gen::inRange(0, 3);
  auto number = subnet.address().number();
  for (; flips > 0; --flips)
    number
      ^= uint128{1} << *rc::gen::inRange<unsigned>(0, subnet.address().bits());
  return ip_address::from_number(subnet.family(), number);
}

TEST(PrefixProperty, ComesBackFromItsText) {
  test::check([] {
    auto x = test::draw<prefix>();
    RC_ASSERT(prefix::parse(to_string(x)) == x);
    auto y = test::draw<interface_address>();
    RC_ASSERT(interface_address::parse(to_string(y)) == y);
  });
}

TEST(PrefixProperty, ContainsWhatSharesItsBits) {
  test::check([] {
    auto subnet = test::draw<prefix>();
    auto x = near(subnet);
    RC_ASSERT(subnet.contains(x)
              == share_first_bits(subnet.address(), x, subnet.length()));
    RC_ASSERT(subnet.contains(x)
              == (x >= subnet.first() && x <= subnet.last()));
  });
}

TEST(PrefixProperty, OverlapsWhenBoundsDo) {
  test::check([] {
    auto x = test::draw<prefix>();
    auto length = *rc::gen::inRange(0, x.address().bits() + 1);
    auto y = prefix{near(x), static_cast<uint8_t>(length)};
    auto meets = x.first() <= y.last() && y.first() <= x.last();
    RC_ASSERT(x.overlaps(y) == meets);
    RC_ASSERT(y.overlaps(x) == meets);
    RC_ASSERT(x.contains(y)
              == (x.first() <= y.first() && y.last() <= x.last()));
  });
}

TEST(PrefixProperty, CountsItsAddresses) {
  test::check([] {
    auto x = test::draw<prefix>();
    RC_ASSERT(x.size() == x.last().number() - x.first().number() + 1);
    auto n = uint128{*rc::gen::arbitrary<uint64_t>()} << 64U
             | *rc::gen::arbitrary<uint64_t>();
    if (x.size() != 0)
      n %= x.size();
    RC_ASSERT(x.contains(x.at(n)));
    RC_ASSERT(x.index_of(x.at(n)) == n);
    RC_ASSERT(x.at(n).number() == x.first().number() + n);
  });
}

TEST(PrefixProperty, ReadsAnyTextWithoutFailing) {
  test::check([] {
    auto text = *rc::gen::container<std::string>(
      rc::gen::elementOf(std::string{"0129af::..//"}));
    if (auto x = prefix::parse(text))
      RC_ASSERT(prefix::parse(to_string(*x)) == *x);
    else
      RC_ASSERT(!x.error().message.empty());
  });
}

} // namespace
} // namespace troupe
