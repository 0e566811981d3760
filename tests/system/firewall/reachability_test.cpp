#include "town.hpp"
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
  {"without_icc",
   {{"icc", "false"}},
   false,
   "h",
   "duph",
   "h",
   "h",
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

TEST_F(Sources, ConnectionsAreForgottenWhenAnAddressGoes) {
  build();
  EXPECT_NE(reach(places["neighbour"], kind::udp, ip("192.0.2.1"), 8080), "");
  EXPECT_NE(reach(places["neighbour"], kind::udp, ip("192.0.2.1"), 9090), "");
  auto tracked = [] {
    return output_of("cat /proc/net/nf_conntrack 2>/dev/null || conntrack -L "
                     "2>/dev/null");
  };
  ASSERT_NE(tracked().find("dport=8080"), std::string::npos) << tracked();
  auto filter = netns::conntrack_filter{};
  filter.address = ip("10.1.0.2");
  ASSERT_TRUE(kernel->flush_conntrack(filter));
  EXPECT_EQ(tracked().find("dport=8080"), std::string::npos) << tracked();
  EXPECT_NE(tracked().find("dport=9090"), std::string::npos) << tracked();
  filter = {};
  filter.proto = protocol::udp;
  filter.host_port = 9090;
  ASSERT_TRUE(kernel->flush_conntrack(filter));
  EXPECT_EQ(tracked().find("dport=9090"), std::string::npos) << tracked();
}

} // namespace

} // namespace troupe::test
