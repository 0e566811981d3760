#include "troupe/tests/unit/netns/kernel_contract.hpp"

#include <algorithm>
#include <cerrno>

namespace troupe::test {

namespace {

using netns::firewall::element;
using netns::firewall::element_change;
using netns::firewall::make_element;
using netns::firewall::set_id;
using netns::firewall::verdict;

constexpr auto table = firewall_table;

element port(uint16_t number, const char* to = "10.1.0.2") {
  return make_element(set_id::publish4_any, {protocol::tcp, number},
                      {ip(to), uint16_t{80}})
    .value();
}

// One element of every set.
std::vector<element> one_of_each() {
  using std::string_view;
  constexpr auto v4 = ip_family::v4;
  constexpr auto a = string_view{"br-a"}, b = string_view{"eth0.7"};
  auto http = uint16_t{8080}, web = uint16_t{80};
  auto made = std::vector{
    make_element(set_id::within, {a, a}, {verdict::accept}),
    make_element(set_id::hairpin, {a, a}),
    make_element(set_id::self4, {ip("10.1.0.2"), ip("10.1.0.2")}),
    make_element(set_id::self6, {ip("fd00::2"), ip("fd00::2")}),
    make_element(set_id::networks, {a}),
    make_element(set_id::allowed, {b, a}),
    make_element(set_id::leave, {v4, a}, {verdict::drop}),
    make_element(set_id::enter, {ip_family::v6, a}, {verdict::in_routed}),
    make_element(set_id::open4, {ip("10.1.0.2"), protocol::sctp, web}),
    make_element(set_id::open6, {ip("fd00::2"), protocol::udp, web}),
    make_element(set_id::publish4_addr, {ip("192.0.2.1"), protocol::tcp, http},
                 {ip("10.1.0.2"), web}),
    make_element(set_id::publish4_any, {protocol::udp, http},
                 {ip("10.1.0.2"), web}),
    make_element(set_id::publish6_addr,
                 {ip("2001:db8::1"), protocol::tcp, http},
                 {ip("fd00::2"), web}),
    make_element(set_id::publish6_any, {protocol::tcp, http},
                 {ip("fd00::2"), web}),
    make_element(set_id::source4, {a}, {ip("192.0.2.9")}),
    make_element(set_id::source6, {a}, {ip("2001:db8::9")}),
    make_element(set_id::masquerade_from, {v4, a}),
    make_element(set_id::proxied, {protocol::tcp, http}),
    make_element(set_id::by_proxy, {a, protocol::tcp, http}),
    make_element(set_id::proxied_udp, {v4, http}),
    make_element(set_id::proxied_udp4, {ip("192.0.2.1"), http}),
    make_element(set_id::proxied_udp6, {ip("2001:db8::1"), http}),
    make_element(set_id::no_router, {v4}),
    make_element(set_id::unguarded, {string_view{"trp0123456789ab"}}),
    make_element(set_id::guard_mac, {a, mac("02:42:0a:01:00:02")}),
    make_element(set_id::guard_ip4, {a, ip("10.1.0.2")}),
    make_element(set_id::guard_ip6, {a, ip("fd00::2")}),
    make_element(set_id::guard_nd, {a, ip("fd00::2")}),
  };
  auto result = std::vector<element>{};
  for (auto& x : made) {
    EXPECT_TRUE(works(x));
    result.push_back(x.value_or(element{}));
  }
  EXPECT_EQ(result.size(), netns::firewall::set_count);
  std::ranges::sort(result);
  return result;
}

} // namespace

void FirewallContract::SetUp() {
  KernelContract::SetUp();
  if (IsSkipped() || HasFatalFailure())
    return;
  auto done = host().load_firewall(firewall_settings(), {});
  if (!done && done.error().code == ec::unsupported)
    GTEST_SKIP() << describe(done.error());
  ASSERT_TRUE(works(done));
}

result<void> FirewallContract::change(std::vector<element_change> changes) {
  return host().change_elements(table, changes);
}

std::vector<element> FirewallContract::list() {
  auto found = host().list_elements(table);
  EXPECT_TRUE(works(found));
  return found.value_or(std::vector<element>{});
}

TEST_P(FirewallContract, ListsWhatWasLoaded) {
  EXPECT_TRUE(list().empty());
  auto wanted = one_of_each();
  ASSERT_TRUE(works(host().load_firewall(firewall_settings(), wanted)));
  EXPECT_EQ(list(), wanted);
}

TEST_P(FirewallContract, LoadingReplacesEverything) {
  ASSERT_TRUE(works(host().load_firewall(firewall_settings(), one_of_each())));
  auto wanted = std::vector{port(1)};
  auto marked = firewall_settings();
  marked.mark = netns::firewall::accept_mark{2, 3};
  ASSERT_TRUE(works(host().load_firewall(marked, wanted)));
  EXPECT_EQ(list(), wanted);
}

TEST_P(FirewallContract, RefusesToLoadAnElementTwice) {
  auto twice = std::vector{port(1), port(1, "10.1.0.3")};
  EXPECT_TRUE(fails_with(ec::invalid_argument,
                         host().load_firewall(firewall_settings(), twice)));
  EXPECT_TRUE(list().empty());
}

TEST_P(FirewallContract, AddsAndDeletesElementsOfEverySet) {
  auto wanted = one_of_each();
  auto changes = std::vector<element_change>{};
  for (const auto& x : wanted)
    changes.push_back({true, x});
  ASSERT_TRUE(works(change(changes)));
  EXPECT_EQ(list(), wanted);
  for (auto& x : changes)
    x.add = false;
  ASSERT_TRUE(works(change(changes)));
  EXPECT_TRUE(list().empty());
}

TEST_P(FirewallContract, RefusesWhatIsThere) {
  ASSERT_TRUE(works(change({{true, port(1)}})));
  EXPECT_TRUE(fails_with(EEXIST, change({{true, port(1)}})));
  EXPECT_TRUE(fails_with(EEXIST, change({{true, port(1, "10.1.0.3")}})));
  EXPECT_EQ(list(), std::vector{port(1)});
}

TEST_P(FirewallContract, RefusesToDeleteWhatIsNotThere) {
  EXPECT_TRUE(fails_with(ENOENT, change({{false, port(1)}})));
}

TEST_P(FirewallContract, ChangesAllOrNothing) {
  ASSERT_TRUE(works(change({{true, port(1)}, {true, port(2)}})));
  auto before = list();
  EXPECT_TRUE(fails_with(
    EEXIST, change({{false, port(1)}, {true, port(3)}, {true, port(2)}})));
  EXPECT_EQ(list(), before);
  EXPECT_TRUE(fails_with(ENOENT, change({{true, port(3)}, {false, port(4)}})));
  EXPECT_EQ(list(), before);
}

TEST_P(FirewallContract, NamesTheElementThatWasRefused) {
  ASSERT_TRUE(works(change({{true, port(8080)}})));
  auto done = change({{true, port(1)}, {true, port(8080)}, {true, port(2)}});
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message.find(
              "add element publish4_any { tcp . 8080 : 10.1.0.2 . 80 }"),
            std::string::npos)
    << done.error().message;
}

TEST_P(FirewallContract, ReplacesAnElementInOneTransaction) {
  ASSERT_TRUE(works(change({{true, port(1)}})));
  ASSERT_TRUE(works(change({{false, port(1)}, {true, port(1, "10.1.0.3")}})));
  EXPECT_EQ(list(), std::vector{port(1, "10.1.0.3")});
}

TEST_P(FirewallContract, DeletesByKeyAlone) {
  ASSERT_TRUE(works(change({{true, port(1)}})));
  ASSERT_TRUE(works(change({{false, port(1, "10.1.0.3")}})));
  EXPECT_TRUE(list().empty());
}

TEST_P(FirewallContract, RefusesBytesThatDoNotFit) {
  auto bad = port(1);
  bad.key.push_back(0);
  EXPECT_TRUE(fails_with(ec::invalid_argument, change({{true, bad}})));
  auto verdict
    = make_element(set_id::leave, {ip_family::v4, std::string_view{"br-a"}},
                   {netns::firewall::verdict::drop})
        .value();
  verdict.data[0] = 99;
  EXPECT_TRUE(fails_with(ec::invalid_argument, change({{true, verdict}})));
}

TEST_P(FirewallContract, DoesNothingForNoChange) {
  EXPECT_TRUE(works(change({})));
}

TEST_P(FirewallContract, KeepsTablesOfManyDaemonsApart) {
  auto other = firewall_settings();
  other.table = "troupe_ffffff";
  ASSERT_TRUE(works(host().load_firewall(other, {})));
  auto add = std::vector<element_change>{{true, port(1)}};
  ASSERT_TRUE(works(host().change_elements(other.table, add)));
  EXPECT_TRUE(list().empty());
  ASSERT_TRUE(works(host().remove_firewall(other.table)));
  EXPECT_TRUE(works(host().list_elements(table)));
}

TEST_P(FirewallContract, RemovesTables) {
  ASSERT_TRUE(works(host().remove_firewall(table)));
  EXPECT_TRUE(fails_with(ENOENT, host().list_elements(table)));
  EXPECT_TRUE(fails_with(ENOENT, change({{true, port(1)}})));
  EXPECT_TRUE(works(host().remove_firewall(table)));
}

TEST_P(FirewallContract, TakesManyChangesAtOnce) {
  auto changes = std::vector<element_change>{};
  for (uint16_t i = 0; i < 5000; ++i)
    changes.push_back({true, port(static_cast<uint16_t>(i + 1))});
  ASSERT_TRUE(works(change(changes)));
  EXPECT_EQ(list().size(), changes.size());
  // Each of them fails now; the first is named.
  auto again = change(changes);
  EXPECT_TRUE(fails_with(EEXIST, again));
  EXPECT_NE(again.error().message.find("tcp . 1 :"), std::string::npos)
    << again.error().message;
}

TEST_P(FirewallContract, FindsNoForeignChainOnAnEmptyHost) {
  auto found = host().forward_blockers();
  ASSERT_TRUE(works(found));
  EXPECT_TRUE(found->empty());
}

TEST_P(FirewallContract, FlushesConnectionsByFilter) {
  auto flush = [&](const netns::conntrack_filter& x) {
    return host().flush_conntrack({&x, 1});
  };
  auto filter = netns::conntrack_filter{};
  EXPECT_TRUE(fails_with(ec::invalid_argument, flush(filter)));
  filter.host_port = 53;
  EXPECT_TRUE(fails_with(ec::invalid_argument, flush(filter)));
  filter.proto = protocol::udp;
  EXPECT_TRUE(works(flush(filter)));
  filter.host_address = ip("fd00::1");
  EXPECT_TRUE(fails_with(ec::invalid_argument, flush(filter)));
  filter.family = ip_family::v6;
  EXPECT_TRUE(works(flush(filter)));
  filter = {};
  filter.address = ip("10.1.0.2");
  EXPECT_TRUE(works(flush(filter)));
  filter = {};
  filter.server = ip("10.1.0.2");
  filter.untranslated = true;
  EXPECT_TRUE(works(flush(filter)));
  filter.server_port = 53;
  EXPECT_TRUE(fails_with(ec::invalid_argument, flush(filter)));
  filter.proto = protocol::sctp;
  filter.unanswered = true;
  EXPECT_TRUE(works(flush(filter)));
}

TEST_P(FirewallContract, FlushesByManyFiltersAtOnce) {
  auto filters = std::vector<netns::conntrack_filter>(100);
  for (uint16_t i = 0; auto& x : filters) {
    x.proto = protocol::udp;
    x.host_port = ++i;
  }
  EXPECT_TRUE(works(host().flush_conntrack({})));
  EXPECT_TRUE(works(host().flush_conntrack(filters)));
  filters.back().proto.reset();
  EXPECT_TRUE(
    fails_with(ec::invalid_argument, host().flush_conntrack(filters)));
}

TEST_P(FirewallContract, ListsNoConnectionOnAnIdleHost) {
  auto found = host().connections();
  ASSERT_TRUE(works(found));
  EXPECT_TRUE(found->empty());
}

} // namespace troupe::test
