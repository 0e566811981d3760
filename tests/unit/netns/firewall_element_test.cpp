#include "troupe/netns/firewall/element.hpp"
#include "troupe/netns/firewall/senders.hpp"
#include "troupe/tests/unit/netns/kernel_contract.hpp"

#include <gtest/gtest.h>

namespace troupe::test {

using namespace netns::firewall;

TEST(FirewallElement, SchemasAreInTheOrderOfTheirIds) {
  ASSERT_EQ(all_sets().size(), set_count);
  for (size_t i = 0; i < set_count; ++i)
    EXPECT_EQ(static_cast<size_t>(all_sets()[i].id), i);
}

TEST(FirewallElement, IsWrittenAsNftWritesIt) {
  auto text = [](const result<element>& x) {
    return to_text(x.value()).value();
  };
  EXPECT_EQ(text(make_element(set_id::publish4_addr,
                              {ip("192.0.2.1"), protocol::tcp, uint16_t{8080}},
                              {ip("10.1.0.2"), uint16_t{80}})),
            "192.0.2.1 . tcp . 8080 : 10.1.0.2 . 80");
  EXPECT_EQ(
    text(make_element(set_id::enter, {ip_family::v6, std::string_view{"br-0"}},
                      {verdict::in_nat})),
    "ipv6 . \"br-0\" : goto in_nat");
  EXPECT_EQ(
    text(make_element(set_id::leave, {ip_family::v4, std::string_view{"br-0"}},
                      {verdict::drop})),
    "ipv4 . \"br-0\" : drop");
  EXPECT_EQ(text(make_element(set_id::guard_nd,
                              {std::string_view{"trp0"}, ip("fe80::1:ff")})),
            "\"trp0\" . 0xfe8000000000000000000000000100ff");
  EXPECT_EQ(text(make_element(set_id::guard_mac, {std::string_view{"trp0"},
                                                  mac("02:42:0a:01:00:02")})),
            "\"trp0\" . 02:42:0a:01:00:02");
}

TEST(FirewallElement, RefusesValuesOfAnotherType) {
  EXPECT_TRUE(fails_with(ec::internal, make_element(set_id::unguarded, {})));
  EXPECT_TRUE(fails_with(ec::internal,
                         make_element(set_id::unguarded, {ip("10.0.0.1")})));
  EXPECT_TRUE(fails_with(
    ec::internal,
    make_element(set_id::source4, {std::string_view{"a"}}, {ip("fd00::1")})));
}

TEST(FirewallElement, RefusesInterfaceNamesThatMeanSomethingToNft) {
  for (auto name :
       {"", "a b", "a\"", "a*", "a;b", "a\nb", "a{", "a}", "a,b", "a:b", "a/b",
        "a#b", "$a", "0123456789abcdef", "\" . \"x", "a\\b", "\xc3\xa4"}) {
    SCOPED_TRACE(name);
    EXPECT_TRUE(
      fails_with(ec::invalid_argument,
                 make_element(set_id::unguarded, {std::string_view{name}})));
    // Nor when somebody made the bytes without make_element.
    auto x = make_element(set_id::unguarded, {std::string_view{"x"}}).value();
    x.key.assign(16, 0);
    std::copy_n(name, std::min<size_t>(strlen(name), 16), x.key.begin());
    EXPECT_TRUE(fails_with(ec::invalid_argument, to_text(x)));
  }
}

TEST(FirewallElement, TableNamesFollowTheInstance) {
  EXPECT_EQ(table_name(instance{0xabc}), "troupe_000abc");
  EXPECT_EQ(table_name(instance{0x7fffff}), "troupe_7fffff");
}

TEST(AcceptMark, IsAMarkAndAMask) {
  EXPECT_EQ(accept_mark::parse("2/3"), (accept_mark{2, 3}));
  EXPECT_EQ(accept_mark::parse("0x10"), (accept_mark{16, 0xffffffff}));
  EXPECT_EQ(accept_mark::parse("010/0xff"), (accept_mark{8, 0xff}));
  EXPECT_EQ(accept_mark::parse("0/1"), (accept_mark{0, 1}));
  for (auto text : {"", "/", "1/", "/1", "x", "-1", "1/0", "4/3", "4294967296",
                    "1 ; flush ruleset", "08", "0x", "1//2", " 1"})
    EXPECT_TRUE(fails_with(ec::invalid_argument, accept_mark::parse(text)))
      << text;
}

TEST(SenderList, KnowsSocketsAndChildren) {
  auto senders = sender_list{};
  senders.add_socket(7);
  senders.add_socket(7);
  senders.add_child([] {
    return uint32_t{8};
  });
  senders.add_child([] {
    return uint32_t{0};
  });
  EXPECT_TRUE(senders.contains(7));
  EXPECT_TRUE(senders.contains(8));
  EXPECT_FALSE(senders.contains(0));
  EXPECT_FALSE(senders.contains(9));
  senders.remove_socket(7);
  EXPECT_TRUE(senders.contains(7));
  senders.remove_socket(7);
  EXPECT_FALSE(senders.contains(7));
}

} // namespace troupe::test
