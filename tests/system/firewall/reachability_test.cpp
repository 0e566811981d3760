#include "frames.hpp"
#include "town.hpp"
#include <algorithm>

#include <netinet/in.h>

namespace troupe::test {

namespace {

using kind = probe::kind;

// What of a1 can be reached from where: d its port 80 directly, u its port 81,
// p ping, h port 8080 of the host.
struct mode_case {
  const char* name;
  text_map options; ///< Of network a.
  bool internal;
  const char* neighbour;
  const char* host;
  const char* a1;
  const char* a2;
  const char* b1;
  bool ipv4 = true;
  bool ipv6 = true;
  bool bridged = true; ///< Bridged packets pass the firewall, too.
};

std::ostream& operator<<(std::ostream& out, const mode_case& x) {
  return out << x.name;
}

class Reachability : public town,
                     public ::testing::WithParamInterface<mode_case> {
protected:
  struct expectation {
    std::string what;
    bool expected;
  };

  void expect(const std::string& from, const std::string& letters) {
    for (auto family : {ip_family::v4, ip_family::v6}) {
      if (!(family == ip_family::v4 ? a.enable_ipv4 : a.enable_ipv6))
        continue;
      auto direct = address_of("a1", family);
      auto uplink = ip(family == ip_family::v4 ? "192.0.2.1" : "2001:db8::1");
      for (auto what : {kind::tcp, kind::udp}) {
        // A container reaches itself without us.
        if (from != "a1") {
          add(from, what, direct, 80, letters, 'd');
          add(from, what, direct, 81, letters, 'u');
        }
        add(from, what, uplink, 8080, letters, 'h');
      }
      if (from != "a1")
        add(from, kind::ping, direct, 0, letters, 'p');
    }
  }

  void add(const std::string& from, kind what, const ip_address& to,
           uint16_t port, const std::string& letters, char letter) {
    constexpr const char* names[] = {"tcp", "udp", "ping"};
    probes_.push_back({places[from], what, to, port, {}});
    expected_.push_back({from + " to " + to_string(to) + " port "
                           + std::to_string(port) + " by "
                           + names[static_cast<size_t>(what)],
                         letters.find(letter) != std::string::npos});
  }

  void judge() {
    run(probes_);
    for (size_t i = 0; i < probes_.size(); ++i)
      EXPECT_EQ(!probes_[i].seen_as.empty(), expected_[i].expected)
        << expected_[i].what;
  }

  std::vector<probe> probes_;
  std::vector<expectation> expected_;
};

TEST_P(Reachability, IsThatOfTheMode) {
  const auto& x = GetParam();
  show_bridged_packets(x.bridged);
  a.options = x.options;
  a.internal = x.internal;
  a.enable_ipv4 = x.ipv4;
  a.enable_ipv6 = x.ipv6;
  build();
  expect("neighbour", x.neighbour);
  expect("host", x.host);
  expect("a1", x.a1);
  expect("a2", x.a2);
  expect("b1", x.b1);
  judge();
}

const auto b_bridge = "br-" + std::string(12, 'b');

const mode_case modes[] = {
  {"nat", {}, false, "h", "duph", "h", "duph", "h"},
  {"nat_not_bridged",
   {},
   false,
   "h",
   "duph",
   "h",
   "duph",
   "h",
   true,
   true,
   false},
  {"nat_unprotected",
   {{"gateway_mode_ipv4", "nat-unprotected"},
    {"gateway_mode_ipv6", "nat-unprotected"}},
   false,
   "duph",
   "duph",
   "h",
   "duph",
   "duph"},
  {"routed",
   {{"gateway_mode_ipv4", "routed"}, {"gateway_mode_ipv6", "routed"}},
   false,
   "dp",
   "dup",
   "",
   "dup",
   "dp"},
  {"internal", {}, true, "", "dup", "", "dup", ""},
  {"isolated",
   {{"gateway_mode_ipv4", "isolated"}, {"gateway_mode_ipv6", "isolated"}},
   true,
   "",
   "",
   "",
   "dup",
   ""},
  // The own network is left to the proxy, which is not here.
  {"without_icc",
   {{"icc", "false"}},
   false,
   "h",
   "duph",
   "",
   "",
   "h",
   true,
   true,
   false},
  {"internal_without_icc", {{"icc", "false"}}, true, "", "dup", "", "", ""},
  {"without_guard",
   {{"spoof_guard", "false"}},
   false,
   "h",
   "duph",
   "h",
   "duph",
   "h"},
  {"without_masquerade",
   {{"ip_masquerade", "false"}},
   false,
   "h",
   "duph",
   "h",
   "duph",
   "h"},
  {"trusted",
   {{"trusted_host_interfaces", "up0"}},
   false,
   "duph",
   "duph",
   "h",
   "duph",
   "h"},
  {"allowed",
   {{"allowed_networks", b_bridge}},
   false,
   "h",
   "duph",
   "h",
   "duph",
   "duph"},
  {"ipv4_alone", {}, false, "h", "duph", "h", "duph", "h", true, false},
  {"ipv6_alone", {}, false, "h", "duph", "h", "duph", "h", false, true},
};

INSTANTIATE_TEST_SUITE_P(Mode, Reachability, ::testing::ValuesIn(modes),
                         [](const auto& info) {
                           return std::string{info.param.name};
                         });

/// How connections look from the other side, where bridged packets are none
/// of the firewall's business.
class Sources : public town {
protected:
  void SetUp() override {
    town::SetUp();
    if (!IsSkipped())
      show_bridged_packets(false);
  }

  void expect(const std::string& from, const char* to, uint16_t port,
              const std::string& seen_as) {
    for (auto what : {kind::tcp, kind::udp})
      EXPECT_EQ(reach(places[from], what, ip(to), port), seen_as)
        << from << " to " << to;
  }
};

TEST_F(Sources, AreTheHostsWhenLeaving) {
  build();
  expect("a1", "192.0.2.2", 80, "192.0.2.1");
  expect("a1", "2001:db8::2", 80, "2001:db8::1");
}

TEST_F(Sources, AreTheContainersInRoutedMode) {
  a.options = {{"gateway_mode_ipv4", "routed"}, {"ip_masquerade", "false"}};
  build();
  expect("a1", "192.0.2.2", 80, "10.1.0.2");
  expect("a1", "2001:db8::2", 80, "fd00:1::2");
}

TEST_F(Sources, AreTheOnesGiven) {
  ASSERT_EQ(shell("ip address add 192.0.2.77/32 dev lo; ip -6 address add "
                  "2001:db8::77/128 dev lo"),
            0);
  a.options = {{"host_ipv4", "192.0.2.77"}, {"host_ipv6", "2001:db8::77"}};
  build();
  // The neighbour must find the way back.
  ASSERT_EQ(
    shell("ip netns >/dev/null 2>&1; nsenter --net=" + places["neighbour"]
          + " sh -c 'ip route add 192.0.2.77 via 192.0.2.1; ip -6 "
            "route add 2001:db8::77 via 2001:db8::1'"),
    0);
  expect("a1", "192.0.2.2", 80, "192.0.2.77");
  expect("a1", "2001:db8::2", 80, "2001:db8::77");
}

TEST_F(Sources, OfClientsAreKept) {
  build();
  expect("neighbour", "192.0.2.1", 8080, "192.0.2.2");
  expect("neighbour", "2001:db8::1", 8080, "2001:db8::2");
  expect("b1", "192.0.2.1", 8080, "10.2.0.2");
  expect("b2", "2001:db8::1", 8080, "fd00:2::3");
}

TEST_F(Sources, OfTheSameNetworkAreTheGatewaysThroughAPublishedPort) {
  build();
  expect("a1", "192.0.2.1", 8080, "10.1.0.1");
  expect("a2", "10.1.0.1", 8080, "10.1.0.1");
  expect("a2", "fd00:1::1", 8080, "fd00:1::1");
}

// RM-05: the other direction of the matrix.
TEST_F(Sources, RoutedNetworksDoNotReachIntoOthers) {
  a.options = {{"gateway_mode_ipv4", "routed"}};
  build();
  EXPECT_EQ(reach(places["a1"], kind::tcp, ip("10.2.0.2"), 80), "");
  EXPECT_EQ(reach(places["a1"], kind::ping, ip("10.2.0.2")), "");
  EXPECT_NE(reach(places["a1"], kind::tcp, ip("192.0.2.1"), 9090), "");
}

TEST_F(Sources, AnAcceptedMarkOpensTheWay) {
  rules.mark = netns::firewall::accept_mark::parse("2/3").value();
  build();
  EXPECT_EQ(reach(places["neighbour"], kind::tcp, ip("10.1.0.2"), 81), "");
  ASSERT_EQ(shell("nft add table inet marks; nft 'add chain inet marks pre { "
                  "type filter hook prerouting priority -5; }'; nft add rule "
                  "inet marks pre iifname up0 meta mark set 0x2"),
            0);
  EXPECT_NE(reach(places["neighbour"], kind::tcp, ip("10.1.0.2"), 81), "");
}

// What connection tracking does not know is not translated.
TEST_F(Sources, InvalidPacketsDoNotLeave) {
  build();
  auto sender = frame_socket{places["a1"], "eth0"};
  auto neighbour = frame_socket{places["neighbour"], "eth0"};
  const auto gateway
    = kernel->link(kernel->link_index(driver->network_interface(a)).value())
        .value()
        .mac;
  const auto own = mac_address{{0x02, 0x42, 10, 1, 0, 2}};
  const auto tag = std::string{"troupe-not-translated"};
  // SYN and FIN at once.
  auto tcp
    = bytes{4, 0, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 3, 1, 0, 0, 0, 0, 0};
  sender.send(ethernet(gateway, own, 0x800)
              + packet(ip("10.1.0.2"), ip("192.0.2.2"), IPPROTO_TCP,
                       tcp + bytes{tag.begin(), tag.end()}));
  EXPECT_FALSE(neighbour.receives(tag, 300));
}

TEST_F(Sources, NoElementMeansNoWay) {
  build();
  EXPECT_NE(reach(places["neighbour"], kind::tcp, ip("192.0.2.1"), 8080), "");
  const auto flush = [&](const char* set) {
    return shell("nft flush map inet " + rules.table + " " + set);
  };
  ASSERT_EQ(flush("enter"), 0);
  EXPECT_EQ(reach(places["neighbour"], kind::tcp, ip("10.1.0.2"), 80), "");
  EXPECT_EQ(reach(places["neighbour"], kind::udp, ip("fd00:1::2"), 80), "");
  EXPECT_EQ(reach(places["b1"], kind::tcp, ip("10.1.0.2"), 80), "");
  ASSERT_EQ(shell("nft flush set inet " + rules.table + " networks"), 0);
  EXPECT_EQ(reach(places["a1"], kind::tcp, ip("192.0.2.2"), 80), "");
  load();
  EXPECT_NE(reach(places["a1"], kind::tcp, ip("192.0.2.2"), 80), "");
}

// Forwarding that we switched on is for our networks alone.
TEST_F(Sources, TheHostIsNoRouterForOthersWhereItsElementSaysSo) {
  build();
  ASSERT_EQ(shell("ip netns add far; ip link add up1 type veth peer name eth0 "
                  "netns far; ip addr add 203.0.113.1/24 dev up1; ip link set "
                  "up1 up; ip -n far link set lo up; ip -n far addr add "
                  "203.0.113.2/24 dev eth0; ip -n far link set eth0 up; ip -n "
                  "far route add default via 203.0.113.1"),
            0);
  ASSERT_EQ(shell("nsenter --net=" + places["neighbour"]
                  + " ip route add 203.0.113.0/24 via 192.0.2.1"),
            0);
  const auto passes = [&] {
    return reach(places["neighbour"], kind::ping, ip("203.0.113.2")) == "pong";
  };
  EXPECT_TRUE(passes());
  ASSERT_EQ(
    shell("nft add element inet " + rules.table + " no_router '{ ipv4 }'"), 0);
  // All probes send the same echo: what has passed already goes on.
  EXPECT_TRUE(passes());
  auto filter = netns::conntrack_filter{};
  filter.address = ip("203.0.113.2");
  ASSERT_TRUE(kernel->flush_conntrack({&filter, 1}));
  EXPECT_FALSE(passes());
  // Those of another daemon on this host have rules of their own.
  ASSERT_EQ(shell("ip link set up1 group 0x74000002"), 0);
  EXPECT_TRUE(passes());
  EXPECT_NE(reach(places["a1"], kind::tcp, ip("192.0.2.2"), 80), "");
  EXPECT_NE(reach(places["neighbour"], kind::tcp, ip("192.0.2.1"), 8080), "");
  EXPECT_EQ(shell("ip netns del far"), 0);
}

TEST_F(Sources, LoopbackAddressesAreNotForOthers) {
  servers.add("", 6060);
  build();
  ASSERT_EQ(shell("sysctl -qw net.ipv4.conf.up0.route_localnet=1; nsenter "
                  "--net="
                  + places["neighbour"]
                  + " sh -c 'sysctl -qw net.ipv4.conf.eth0.route_localnet=1; "
                    "ip addr del 127.0.0.1/8 dev lo; ip route add "
                    "127.0.0.1/32 via 192.0.2.1 src 192.0.2.2'"),
            0);
  EXPECT_EQ(reach(places["neighbour"], kind::tcp, ip("127.0.0.1"), 6060), "");
  ASSERT_EQ(shell("nft flush chain inet " + rules.table + " input"), 0);
  EXPECT_NE(reach(places["neighbour"], kind::tcp, ip("127.0.0.1"), 6060), "")
    << "the rules kept it away";
}

// Somebody who listens at the host, as the proxy does.
TEST_F(Sources, AnInternalNetworkDoesNotReachPublishedPortsAtTheHost) {
  a.internal = true;
  servers.add("", 9090);
  servers.add("", 7070);
  build();
  // As for clients that are not translated, e.g. link-local ones.
  const auto flush = [&](const std::string& what) {
    return shell("nft flush " + what);
  };
  ASSERT_EQ(flush("map inet " + rules.table + " publish4_any"), 0);
  ASSERT_EQ(flush("map inet " + rules.table + " publish6_any"), 0);
  for (const auto* host : {"10.1.0.1", "fd00:1::1"}) {
    EXPECT_EQ(reach(places["a1"], kind::tcp, ip(host), 9090), "") << host;
    EXPECT_EQ(reach(places["a1"], kind::udp, ip(host), 9090), "") << host;
    EXPECT_NE(reach(places["a1"], kind::tcp, ip(host), 7070), "") << host;
    EXPECT_NE(reach(places["b2"], kind::tcp, ip(host), 9090), "") << host;
  }
  ASSERT_EQ(flush("set inet " + rules.table + " proxied"), 0);
  EXPECT_NE(reach(places["a1"], kind::tcp, ip("fd00:1::1"), 9090), "");
}

TEST_F(Sources, RulesOfUsersSeeWhatTheProxyServes) {
  servers.add("", 8080);
  build();
  const auto proxied = [&] {
    return reach(places["host"], kind::tcp, ip("127.0.0.1"), 8080);
  };
  EXPECT_NE(proxied(), "");
  ASSERT_EQ(shell("nft add rule inet troupe_user before_troupe_input tcp dport "
                  "8080 drop"),
            0);
  EXPECT_EQ(proxied(), "");
}

TEST_F(Sources, ConnectionsAreForgottenWhenAnAddressGoes) {
  build();
  EXPECT_NE(reach(places["neighbour"], kind::udp, ip("192.0.2.1"), 8080), "");
  EXPECT_NE(reach(places["neighbour"], kind::udp, ip("192.0.2.1"), 9090), "");
  auto tracked = [] {
    return output_of("cat /proc/net/nf_conntrack 2>/dev/null || conntrack -L "
                     "2>/dev/null");
  };
  ASSERT_NE(tracked().find("dport=8080"), std::string::npos) << tracked();
  auto listed = kernel->connections();
  ASSERT_TRUE(listed) << text(listed);
  const auto through_port = [](const netns::connection_info& x) {
    return x.proto == protocol::udp && x.client == ip("192.0.2.2")
           && x.host == ip("192.0.2.1") && x.host_port == 8080
           && x.server == ip("10.1.0.2") && x.server_port == 80 && x.answered
           && !x.source_translated;
  };
  EXPECT_EQ(std::ranges::count_if(*listed, through_port), 1);
  auto flush = [&](const netns::conntrack_filter& x) {
    return kernel->flush_conntrack({&x, 1});
  };
  auto filter = netns::conntrack_filter{};
  filter.address = ip("10.1.0.2");
  ASSERT_TRUE(flush(filter));
  EXPECT_EQ(tracked().find("dport=8080"), std::string::npos) << tracked();
  EXPECT_NE(tracked().find("dport=9090"), std::string::npos) << tracked();
  filter = {};
  filter.proto = protocol::udp;
  filter.host_port = 9090;
  ASSERT_TRUE(flush(filter));
  EXPECT_EQ(tracked().find("dport=9090"), std::string::npos) << tracked();
}

// Each condition by itself, and all of them at once, which is another way.
TEST_F(Sources, ConnectionsAreForgottenByWhatIsKnownOfThem) {
  build();
  const auto is_forgotten = [&](const netns::conntrack_filter& x, bool many) {
    EXPECT_NE(reach(places["neighbour"], kind::udp, ip("192.0.2.1"), 8080), "");
    EXPECT_NE(reach(places["neighbour"], kind::udp, ip("2001:db8::1"), 8080),
              "");
    auto filters = std::vector{x};
    if (many) // Of no connection.
      for (uint16_t i = 1; i < 20; ++i) {
        filters.emplace_back();
        filters.back().proto = protocol::sctp;
        filters.back().host_port = i;
      }
    EXPECT_TRUE(kernel->flush_conntrack(filters));
    const auto left = kernel->connections().value();
    const auto is_meant = [&](const netns::connection_info& y) {
      return y.host_port == 8080 && y.client.family() == x.family;
    };
    const auto gone = std::ranges::none_of(left, is_meant);
    const auto of_others
      = std::ranges::any_of(left, [](const netns::connection_info& y) {
          return y.host_port == 8080;
        });
    EXPECT_TRUE(of_others) << "the other family's";
    return gone;
  };
  for (auto many : {false, true}) {
    SCOPED_TRACE(many);
    for (auto v4 : {true, false}) {
      SCOPED_TRACE(v4);
      auto through = netns::conntrack_filter{};
      through.family = v4 ? ip_family::v4 : ip_family::v6;
      through.proto = protocol::udp;
      through.host_port = 8080;
      through.server = ip(v4 ? "10.1.0.2" : "fd00:1::2");
      through.server_port = 80;
      EXPECT_TRUE(is_forgotten(through, many));
      through.host_address = ip(v4 ? "192.0.2.1" : "2001:db8::1");
      EXPECT_TRUE(is_forgotten(through, many));
      auto wrong = through;
      wrong.server_port = 81;
      EXPECT_FALSE(is_forgotten(wrong, many));
      wrong = through;
      wrong.server = ip(v4 ? "10.1.0.3" : "fd00:1::3");
      EXPECT_FALSE(is_forgotten(wrong, many));
      wrong = through;
      wrong.untranslated = true;
      EXPECT_FALSE(is_forgotten(wrong, many));
      wrong = through;
      wrong.unanswered = true;
      EXPECT_FALSE(is_forgotten(wrong, many));
    }
  }
}

} // namespace

} // namespace troupe::test
