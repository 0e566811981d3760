// Whatever others do to a host with their own tools: traffic flows again by
// itself, or the doctor says what is in its way, and its command helps.

#include "troupe/tests/system/doctor/town.hpp"

#include <chrono>
#include <filesystem>
#include <thread>

namespace troupe::test {

namespace {

using nlohmann::json;

enum class ending : uint8_t {
  mended, ///< The daemon's to mend.
  named,  ///< Somebody else's to decide.
};

struct row {
  std::string command;
  ending expected = ending::mended;
  const char* undo = ""; ///< What the doctor's command leaves.
};

class Doctor : public DoctorTown {
protected:
  void check(const std::vector<row>& rows) {
    for (const auto& x : rows) {
      SCOPED_TRACE(x.command);
      auto ran = shell(x.command);
      ASSERT_EQ(ran.code, 0) << ran.err;
      if (x.expected == ending::named)
        expect_named();
      expect_healthy();
      if (*x.undo != '\0') {
        EXPECT_EQ(shell(x.undo).code, 0);
      }
    }
  }

  void expect_healthy() {
    EXPECT_EQ(blocked_for_good(), "") << ask_doctor().out << daemon().log();
    // The last difference may be mended a moment after traffic flows.
    auto said = doctor();
    for (auto i = 0; i < 100 && !said.empty(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds{100});
      said = doctor();
    }
    EXPECT_EQ(said, "");
    auto checked = daemon().troupe({"check"});
    EXPECT_EQ(checked.code, 0) << checked.out << checked.err;
  }

  // The doctor says it with its exit code; what it tells to do helps.
  void expect_named() {
    EXPECT_NE(blocked_way(), "");
    expect_told();
  }

  void expect_told() {
    auto said = ask_doctor();
    for (auto i = 0; i < 50 && said.code == 0; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds{100});
      said = ask_doctor();
    }
    EXPECT_EQ(said.code, 1);
    EXPECT_EQ(daemon().troupe({"check"}).code, 1);
    auto report = json::parse(said.out, nullptr, false);
    ASSERT_TRUE(report.is_object()) << said.out;
    auto has_command = false;
    for (const auto& x : report.value("findings", json::array())) {
      auto command = x.value("command", "");
      has_command = has_command || !command.empty();
      if (!command.empty())
        shell(command);
    }
    EXPECT_TRUE(has_command) << said.out;
  }
};

} // namespace

TEST_F(Doctor, IpLink) {
  check({{"ip link set {BR} down"},
         {"ip link set {BR} arp off"},
         {"ip link set {BR} mtu 1200"},
         {"ip link set {BR} address 02:00:00:00:00:aa"},
         {"ip link set {BR} type bridge stp_state 1"},
         {"ip link set {PORT} down"},
         {"ip link set {PORT} arp off"},
         {"ip link set {PORT} nomaster"},
         {"ip link set {PORT} group 0"},
         {"ip link del {PORT}"},
         {"ip link del {BR}"}});
}

TEST_F(Doctor, IpAddressAndRoute) {
  check({{"ip -4 address flush dev {BR}"},
         {"ip -6 address flush dev {BR}"},
         {"ip route del {NET4} dev {BR}"},
         {"ip route del local {GW4} dev {BR} table local"},
         {"ip -6 route del {NET6} dev {BR}"},
         {"ip -6 route del local {GW6} dev {BR} table local"},
         {"ip -6 route del ff00::/8 dev {BR} table local"},
         {"ip route flush dev {BR}"},
         {"ip -6 route flush dev {BR}"},
         {"ip route flush table local dev {BR}"},
         {"ip route add blackhole {WEB4}", ending::named},
         {"ip route add unreachable {WEB4}", ending::named},
         {"ip route add {WEB4} via 192.0.2.2", ending::named},
         {"ip -6 route add blackhole {WEB6}", ending::named},
         {"ip -6 route add {WEB6} via 2001:db8:ffff::2", ending::named}});
}

// A restart finds what was lost while nobody looked.
TEST_F(Doctor, RoutesThatWereDeletedWhileTheDaemonWasAway) {
  daemon().kill();
  ASSERT_EQ(shell("ip route flush dev {BR}; ip -6 route flush dev {BR}; "
                  "sysctl -qw net.ipv4.conf.{BR}.forwarding=0 "
                  "net.ipv6.conf.all.forwarding=0; "
                  "bridge link set dev {PORT} state 0")
              .code,
            0);
  ASSERT_EQ(daemon().start(), "");
  observe_daemon();
  expect_healthy();
}

TEST_F(Doctor, IpRule) {
  check({{"ip rule add from {NET4} pref 100 blackhole", ending::named},
         {"ip rule add to {NET4} pref 100 prohibit", ending::named},
         {"ip rule add to {NET4} pref 100 unreachable", ending::named},
         {"ip -6 rule add to {NET6} pref 100 blackhole", ending::named},
         {"ip rule del pref 32766", ending::named},
         {"troupe sandbox exec web -- ip rule del pref 32766", ending::named},
         {"troupe sandbox exec web -- ip rule del pref 0", ending::named}});
}

// Of one endpoint, whichever it is; of ports, of links.
TEST_F(Doctor, IpRuleThatCutsOneEndpoint) {
  check(
    {{"ip rule add pref 50 iif up0 to {WEB4} unreachable", ending::named},
     {"ip rule add pref 50 from {WEB4} prohibit", ending::named},
     {"ip rule add pref 50 to {WEB4} blackhole", ending::named},
     {"ip rule add pref 0 iif up0 to {WEB4} prohibit", ending::named},
     {"ip -6 rule add pref 50 iif up0 to {WEB6} unreachable", ending::named},
     {"ip -6 rule add pref 50 from {WEB6} prohibit", ending::named},
     {"ip route add default via 192.0.2.2 table 99 && "
      "ip rule add pref 50 to {WEB4} lookup 99",
      ending::named, "ip route flush table 99"},
     {"ip route add unreachable default table 99 && "
      "ip rule add pref 50 iif up0 to {WEB4} lookup 99",
      ending::named, "ip route flush table 99"}});
}

TEST_F(Doctor, IpRuleOfPortsAndMarks) {
  check({{"ip rule add pref 50 ipproto tcp dport 80 blackhole", ending::named},
         {"ip rule add pref 50 ipproto tcp sport 80 iif {BR} prohibit",
          ending::named},
         {"ip rule add pref 50 ipproto tcp iif up0 dport 79-81 unreachable",
          ending::named},
         {"ip -6 rule add pref 50 ipproto tcp from {WEB6} unreachable && "
          "ip rule add pref 50 ipproto tcp from {WEB4} unreachable",
          ending::named},
         {"ip rule add pref 50 fwmark 0/0xff iif up0 to {NET4} blackhole",
          ending::named},
         {"ip rule add pref 50 not from 10.99.0.0/16 to {WEB4} prohibit",
          ending::named}});
}

// They look at others, lead where packets go anyway, or at what is not
// promised.
TEST_F(Doctor, IpRuleThatDoesNoHarmIsNoFinding) {
  for (const auto* command :
       {"ip rule add pref 50 fwmark 7 blackhole",
        "ip rule add pref 50 to {WEB4} lookup main",
        "ip rule add pref 50 from 198.51.100.7 unreachable",
        "ip rule add pref 50 iif lo to 198.51.100.7 prohibit",
        "ip rule add pref 50 ipproto tcp dport 5432 to {WEB4} blackhole",
        "ip route add default via 192.0.2.2 table 99 && "
        "ip rule add pref 50 iif {BR} from {NET4} lookup 99"}) {
    SCOPED_TRACE(command);
    ASSERT_EQ(shell(command).code, 0);
    expect_healthy();
    shell("ip rule del pref 50; ip route flush table 99");
  }
}

TEST_F(Doctor, Sysctl) {
  check({{"sysctl -qw net.ipv4.ip_forward=0"},
         {"sysctl -qw net.ipv4.conf.all.forwarding=0"},
         {"sysctl -qw net.ipv4.conf.{BR}.forwarding=0"},
         {"sysctl -qw net.ipv4.conf.up0.forwarding=0"},
         {"sysctl -qw net.ipv6.conf.all.forwarding=0"},
         {"sysctl -qw net.ipv6.conf.{BR}.disable_ipv6=1"},
         {"for x in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 1 >$x; done",
          ending::mended,
          "for x in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 >$x; "
          "done"}});
}

TEST_F(Doctor, Bridge) {
  check({{"bridge link set dev {PORT} state 0"},
         {"bridge link set dev {PORT} flood off learning off"},
         {"bridge link set dev {PORT} mcast_flood off"},
         {"bridge link set dev {PORT} bcast_flood off"},
         {"bridge link set dev {PORT} isolated on"},
         {"bridge link set dev {PORT} locked on learning off"}});
}

// Learning does not replace them, and another port gets the frames, or nobody.
TEST_F(Doctor, ForwardingEntriesOfOthers) {
  check(
    {{"bridge fdb replace {MAC} dev {PEER} master static sticky",
      ending::named},
     {"bridge fdb replace {MAC} dev {BR} self permanent", ending::named},
     {"bridge fdb flush dev {BR}", ending::named},
     {"bridge fdb replace {MAC} dev {PORT} master permanent", ending::named},
     {"bridge fdb replace {MAC} dev {PEER} master permanent", ending::named},
     {"bridge fdb replace $(ip -br link show {BR} | awk '{print $3}') dev "
      "{PEER} "
      "master static sticky",
      ending::named}});
}

// One that learning corrects, and those that lead where they should.
TEST_F(Doctor, ForwardingEntriesThatDoNoHarmAreNoFinding) {
  for (const auto* command :
       {"bridge fdb replace {MAC} dev {PORT} master static sticky",
        "bridge fdb replace {MAC} dev {PORT} master dynamic",
        "bridge fdb replace 02:00:00:00:00:99 dev {PEER} master static"}) {
    SCOPED_TRACE(command);
    ASSERT_EQ(shell(command).code, 0);
    expect_healthy();
  }
}

TEST_F(Doctor, Nft) {
  check({{"nft add table inet site && nft 'add chain inet site forward "
          "{ type filter hook forward priority 10; policy drop; }'",
          ending::named, "nft delete table inet site"},
         {"nft add table ip site && nft 'add chain ip site forward "
          "{ type filter hook forward priority -10; }' && "
          "nft add rule ip site forward iifname {BR} drop",
          ending::named, "nft delete table ip site"},
         {"nft add table ip6 site && nft 'add chain ip6 site forward "
          "{ type filter hook forward priority 0; }' && "
          "nft add rule ip6 site forward ip6 saddr {NET6} reject",
          ending::named, "nft delete table ip6 site"},
         {"nft add table inet site && nft 'add chain inet site out "
          "{ type filter hook output priority 0; }' && "
          "nft add rule inet site out oifname {BR} counter drop",
          ending::named, "nft delete table inet site"},
         {"nft add table ip site && nft 'add chain ip site forward "
          "{ type filter hook forward priority 0; }' && "
          "nft add rule ip site forward ip daddr {WEB4} drop",
          ending::named, "nft delete table ip site"},
         {"nft add table inet site && nft 'add chain inet site forward "
          "{ type filter hook forward priority 0; }' && "
          "nft add rule inet site forward tcp dport 80 drop",
          ending::named, "nft delete table inet site"},
         {"nft add table inet site && nft 'add chain inet site other' && "
          "nft 'add chain inet site forward { type filter hook forward "
          "priority 0; }' && nft add rule inet site forward ct state "
          "established,related accept && nft add rule inet site forward jump "
          "other && nft add rule inet site other oifname {BR} drop",
          ending::named, "nft delete table inet site"}});
}

// Nobody there is promised anything.
TEST_F(Doctor, FiltersOfDocumentationAddressesAreNoFinding) {
  for (const auto& [command, undo] :
       {std::pair{"nft add table inet site && nft 'add chain inet site "
                  "forward { type filter hook forward priority 0; }' && "
                  "nft add rule inet site forward ip saddr 203.0.113.0/24 drop "
                  "&& nft add rule inet site forward ip6 saddr 2001:db8::/64 "
                  "drop",
                  "nft delete table inet site"},
        std::pair{"ip route add blackhole 203.0.113.0/24",
                  "ip route del blackhole 203.0.113.0/24"}}) {
    SCOPED_TRACE(command);
    ASSERT_EQ(shell(command).code, 0);
    expect_healthy();
    ASSERT_EQ(shell(undo).code, 0);
  }
}

// Values of several fields, as large rule sets have them.
TEST_F(Doctor, NftConcatenations) {
  auto rule = [](const std::string& what) {
    return row{"nft add table inet site && nft 'add chain inet site forward "
               "{ type filter hook forward priority 10; }' && "
               "nft 'add rule inet site forward "
                 + what + "'",
               ending::named, "nft delete table inet site"};
  };
  check({rule("ip daddr . tcp dport { {WEB4} . 80 } drop"),
         rule("ip daddr . tcp dport { {NET4} . 70-90, 198.51.100.7 . 1-9 } "
              "drop"),
         rule("meta l4proto . th dport { tcp . 80, udp . 53 } drop"),
         rule("ip daddr . tcp dport vmap { {WEB4} . 80 : drop }")});
}

// The address is in a range, the port is not.
TEST_F(Doctor, NftConcatenationsOfOthersAreNoFinding) {
  ASSERT_EQ(shell("nft add table inet site && nft 'add chain inet site forward "
                  "{ type filter hook forward priority 10; }' && "
                  "nft 'add rule inet site forward ip daddr . tcp dport "
                  "{ 1.0.0.0-254.0.0.0 . 90-95, {WEB4} . 81-89 } drop'")
              .code,
            0);
  expect_healthy();
  EXPECT_EQ(shell("nft delete table inet site").code, 0);
}

// What stays within a network, and frames before anybody routes them.
TEST_F(Doctor, NftOfBridgesAndLinks) {
  check({{"nft add table bridge site && nft 'add chain bridge site forward "
          "{ type filter hook forward priority 10; policy drop; }'",
          ending::named, "nft delete table bridge site"},
         {"nft add table bridge site && nft 'add chain bridge site input "
          "{ type filter hook input priority 0; }' && "
          "nft add rule bridge site input iifname {PORT} ip saddr {WEB4} drop",
          ending::named, "nft delete table bridge site"},
         {"nft add table bridge site && nft 'add chain bridge site out "
          "{ type filter hook postrouting priority 0; }' && "
          "nft add rule bridge site out ether type ip6 drop",
          ending::named, "nft delete table bridge site"},
         {"nft add table netdev site && nft 'add chain netdev site in { type "
          "filter hook ingress device {PORT} priority 0; policy drop; }'",
          ending::named, "nft delete table netdev site"}});
}

TEST_F(Doctor, Iptables) {
  if (run({"iptables-nft", "-V"}).code != 0)
    GTEST_SKIP() << "no iptables-nft";
  check({{"iptables-nft -P FORWARD DROP", ending::named,
          "nft delete table ip filter"},
         {"ip6tables-nft -A FORWARD -j REJECT", ending::named,
          "nft delete table ip6 filter"},
         {"iptables-nft -A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED "
          "-j ACCEPT && iptables-nft -A FORWARD -o {BR} -j DROP && "
          "iptables-nft -A FORWARD -i {BR} -j DROP",
          ending::named, "nft delete table ip filter"}});
}

TEST_F(Doctor, IptablesThatAsksWhatASampleAnswers) {
  if (run({"iptables-nft", "-V"}).code != 0)
    GTEST_SKIP() << "no iptables-nft";
  for (const auto* question :
       {"-m state --state NEW", "-m conntrack --ctdir ORIGINAL",
        "-p tcp -m multiport --dports 80,443",
        "-p tcp -m multiport --ports 70:90", "-m addrtype ! --dst-type LOCAL",
        "-m iprange --dst-range {WEB4}-{WEB4}", "-p tcp --syn",
        "-m pkttype --pkt-type unicast", "-p tcp -m tcp --dport 1:1024",
        "-m ttl --ttl-gt 3", "-m length --length 40:1600"})
    check({{std::string{"iptables-nft -A FORWARD "} + question + " -j DROP",
            ending::named, "nft delete table ip filter"}});
  if (std::filesystem::exists("/proc/sys/net/bridge"))
    check({{"sysctl -qw net.bridge.bridge-nf-call-iptables=1 && iptables-nft "
            "-A FORWARD -m physdev --physdev-is-bridged -j DROP",
            ending::named, "nft delete table ip filter"}});
  check({{"iptables-nft -t raw -A PREROUTING -j NOTRACK", ending::named,
          "nft delete table ip raw"},
         {"iptables-nft -t raw -A PREROUTING -p tcp --dport 8080 -j DROP",
          ending::named, "nft delete table ip raw"},
         {"iptables-nft -t nat -A PREROUTING -p tcp --dport 8080 -j REDIRECT "
          "--to-ports 9999",
          ending::named, "nft delete table ip nat"}});
}

// Before our rules give them another address, or a way.
TEST_F(Doctor, NftOfPacketsThatAreNotTranslatedYet) {
  auto site = [](const std::string& family, const std::string& hook,
                 const std::string& rule) {
    return "nft add table " + family + " site && nft 'add chain " + family
           + " site c { type " + hook + "; }' && nft 'add rule " + family
           + " site c " + rule + "'";
  };
  check(
    {{site("ip", "filter hook prerouting priority raw", "notrack"),
      ending::named, "nft delete table ip site"},
     {site("ip6", "filter hook prerouting priority raw", "notrack"),
      ending::named, "nft delete table ip6 site"},
     {site("inet", "filter hook prerouting priority raw",
           "ct state invalid drop"),
      ending::named, "nft delete table inet site"},
     {site("ip", "filter hook prerouting priority raw", "tcp dport 8080 drop"),
      ending::named, "nft delete table ip site"},
     {site("ip", "filter hook prerouting priority mangle",
           "ip daddr 192.0.2.1 tcp dport 8000-8100 drop"),
      ending::named, "nft delete table ip site"},
     {site("inet", "filter hook prerouting priority raw",
           "fib daddr type local tcp dport 8080 drop"),
      ending::named, "nft delete table inet site"},
     {site("inet", "filter hook input priority 0", "iif \"lo\" drop"),
      ending::named, "nft delete table inet site"},
     {site("inet", "filter hook output priority 0",
           "oif \"lo\" tcp dport 8080 drop"),
      ending::named, "nft delete table inet site"},
     {site("ip", "nat hook prerouting priority -150",
           "tcp dport 8080 dnat to 10.99.0.99"),
      ending::named, "nft delete table ip site"},
     {site("inet", "nat hook prerouting priority dstnat",
           "tcp dport 8080 redirect to :9999"),
      ending::named, "nft delete table inet site"}});
}

// Another address than the host's, before our rules give them one of it.
TEST_F(Doctor, RulesThatGiveLeavingPacketsAnotherSource) {
  auto site = [](const std::string& family, const std::string& rule) {
    return "nft add table " + family + " site && nft 'add chain " + family
           + " site c { type nat hook postrouting priority 50; }' && nft 'add "
             "rule "
           + family + " site c " + rule + "'";
  };
  // Here the street answers all the same, by its default route.
  auto others = std::vector<std::string>{
    site("ip", "ip saddr {NET4} snat to 198.51.100.77"),
    site("ip6", "ip6 saddr {NET6} snat to 2001:db8:77::1"),
    site("inet", "iifname {BR} snat ip to 198.51.100.77")};
  if (run({"iptables-nft", "-V"}).code == 0) {
    others.emplace_back("iptables-nft -t nat -A POSTROUTING -s {NET4} -j SNAT "
                        "--to-source 198.51.100.77");
    others.emplace_back("ip6tables-nft -t nat -A POSTROUTING -s {NET6} -j SNAT "
                        "--to-source 2001:db8:77::1");
  }
  for (const auto& rule : others) {
    SCOPED_TRACE(rule);
    ASSERT_EQ(shell(rule).code, 0);
    expect_told();
    expect_healthy();
    for (const auto* table :
         {"ip site", "ip6 site", "inet site", "ip nat", "ip6 nat"})
      shell("nft delete table " + std::string{table});
  }
  for (const auto& rule :
       {site("ip", "ip saddr {NET4} snat to 192.0.2.1"),
        site("ip", "ip saddr {NET4} masquerade"),
        site("ip", "ip saddr 10.99.0.0/16 snat to 198.51.100.77")}) {
    SCOPED_TRACE(rule);
    ASSERT_EQ(shell(rule).code, 0);
    expect_healthy();
    shell("nft delete table ip site");
  }
}

// Without these nobody finds anybody.
TEST_F(Doctor, NftOfArpAndNeighbourDiscovery) {
  const auto forget = std::string{" && ip neigh flush dev {BR} && nsenter "
                                  "--net={WEB} ip neigh flush all"};
  auto site = [&](const std::string& family, const std::string& chain,
                  const std::string& rule) {
    return "nft add table " + family + " site && nft 'add chain " + family
           + " site c { type filter hook " + chain + " }'"
           + (rule.empty()
                ? std::string{}
                : " && nft 'add rule " + family + " site c " + rule + "'")
           + forget;
  };
  const auto discovery = std::string{"icmpv6 type nd-neighbor-solicit drop"};
  check(
    {{site("arp", "input priority 0; policy drop;", ""), ending::named,
      "nft delete table arp site"},
     {site("arp", "output priority 0;", "arp operation request drop"),
      ending::named, "nft delete table arp site"},
     {site("arp", "input priority 0;", "iifname {BR} drop"), ending::named,
      "nft delete table arp site"},
     {site("bridge", "input priority 0;", "ether type arp drop"), ending::named,
      "nft delete table bridge site"},
     {site("bridge", "forward priority 0;", "ether type arp drop"),
      ending::named, "nft delete table bridge site"},
     {site("inet", "input priority 0;", "icmpv6 type nd-neighbor-advert drop"),
      ending::named, "nft delete table inet site"},
     {site("ip6", "output priority 0;", discovery), ending::named,
      "nft delete table ip6 site"}});
}

TEST_F(Doctor, NftThatAsksWhatASampleAnswers) {
  const auto rules = std::vector<std::string>{
    "meta pkttype host drop",
    "meta iifkind \"bridge\" drop",
    "meta oifkind \"bridge\" drop",
    "iiftype ether drop",
    "meta length > 10 drop",
    "meta length < 2000 drop",
    "ct direction original drop",
    "ct original protocol tcp drop",
    "ct reply ip saddr {WEB4} drop",
    "ct original ip daddr 192.0.2.1 drop",
    "ip ttl > 1 drop",
    "fib saddr type unicast drop",
  };
  for (const auto& rule : rules)
    check({{("nft add table inet site && nft 'add chain inet site c { type "
             "filter hook forward priority 0; }' && nft 'add rule inet site c "
             + rule + "'"),
            ending::named, "nft delete table inet site"}});
}

// What others may do is no finding: only what is promised counts.
TEST_F(Doctor, FirewallsThatLeaveUsAloneAreNoFinding) {
  ASSERT_EQ(shell("nft add table inet site && nft 'add chain inet site input "
                  "{ type filter hook input priority 0; policy drop; }' && "
                  "nft add rule inet site input ct state established,related "
                  "accept && nft add rule inet site input iif lo accept && "
                  "nft add rule inet site input meta l4proto "
                  "'{ icmp, icmpv6 }' accept && nft 'add chain inet site "
                  "forward { type filter hook forward priority 0; policy "
                  "drop; }' && nft add rule inet site forward iifname "
                  "'\"br-*\"' accept && nft add rule inet site "
                  "forward ct status dnat accept && nft add rule inet site "
                  "forward ct state vmap '{ established : accept, related : "
                  "accept }'")
              .code,
            0);
  expect_healthy();
  EXPECT_EQ(shell("nft delete table inet site").code, 0);
}

TEST_F(Doctor, RulesThatDoNotConcernUsAreNoFinding) {
  const auto rules = std::vector<std::string>{
    "raw fib saddr . iif oif missing drop",
    "raw tcp dport 22 notrack",
    "raw iif \"lo\" notrack",
    "raw tcp dport 8081 drop",
    "mangle ct state invalid drop",
    "0 meta length > 2000 drop",
    "0 meta length < 40 drop",
    "0 meta pkttype other drop",
    "0 meta iifkind \"vlan\" drop",
    "0 meta iiftype 65534 drop",
    "0 fib daddr type { broadcast, anycast } drop",
    "0 ct original ip daddr 192.0.2.99 drop",
    "0 ip ttl < 2 drop",
  };
  for (const auto& rule : rules) {
    SCOPED_TRACE(rule);
    const auto at = rule.find(' ');
    ASSERT_EQ(shell("nft add table inet site && nft 'add chain inet site c { "
                    "type filter hook prerouting priority "
                    + rule.substr(0, at) + "; }' && nft 'add rule inet site c "
                    + rule.substr(at) + "'")
                .code,
              0);
    expect_healthy();
    EXPECT_EQ(shell("nft delete table inet site").code, 0);
  }
  ASSERT_EQ(shell("nft add table ip site && nft 'add chain ip site pre { type "
                  "nat hook prerouting priority -150; }' && nft 'add rule ip "
                  "site pre tcp dport 8081 dnat to 10.99.0.99' && nft 'add "
                  "chain ip site post { type nat hook postrouting priority 50; "
                  "}' && nft 'add rule ip site post oifname up0 masquerade'")
              .code,
            0);
  expect_healthy();
  EXPECT_EQ(shell("nft delete table ip site").code, 0);
}

TEST_F(Doctor, Tc) {
  check({{"tc qdisc replace dev {BR} root pfifo limit 0", ending::named},
         {"tc qdisc replace dev {PORT} root pfifo limit 0", ending::named},
         {"tc qdisc replace dev {PORT} root blackhole", ending::named}});
}

TEST_F(Doctor, IpXfrm) {
  check({{"ip xfrm policy add src {NET4} dst 0.0.0.0/0 dir fwd action block",
          ending::named},
         {"ip xfrm policy add src 0.0.0.0/0 dst {NET4} dir out action block",
          ending::named},
         {"ip xfrm policy add src {NET6} dst ::/0 dir fwd action block",
          ending::named}});
}

TEST_F(Doctor, TheHostsOwnLan) {
  check({{"ip link add lan0 type veth peer name lan1 && ip link set lan0 up && "
          "ip address add {GW4}/28 dev lan0",
          ending::named, "ip link del lan0"}});
}

// What nobody can read from rules and tables, packets tell.
TEST_F(Doctor, ProbesEachKindOfWay) {
  auto healthy = ask_doctor({"--probe"});
  EXPECT_EQ(healthy.code, 0) << healthy.out << healthy.err;
  for (const auto* address : {"{GW4}", "{GW6}"}) {
    SCOPED_TRACE(address);
    auto is_v6 = std::string{address} == "{GW6}";
    auto in = "nsenter --net=" + keys_["web"] + " nft ";
    auto family = std::string{is_v6 ? "ip6" : "ip"};
    // Inside a sandbox, where the doctor does not read rules.
    ASSERT_EQ(shell(in + "add table inet own && " + in
                    + "'add chain inet own out { type filter hook output "
                      "priority 0; }' && "
                    + in + "add rule inet own out " + family + " daddr "
                    + address + " drop")
                .code,
              0);
    auto said = ask_doctor({"--probe"});
    EXPECT_EQ(said.code, 1);
    EXPECT_NE(said.out.find("to its gateway"), std::string::npos) << said.out;
    EXPECT_EQ(shell(in + "delete table inet own").code, 0);
  }
  auto site = std::string{"nft add table inet site && nft 'add chain inet site "
                          "out { type filter hook output priority 0; }'"};
  for (const auto* what : {"meta l4proto tcp", "icmp type echo-request",
                           "icmpv6 type echo-request"})
    site += " && nft add rule inet site out " + std::string{what}
            + " limit rate over 1/minute burst 1 packets drop";
  ASSERT_EQ(shell(site).code, 0);
  auto started = std::chrono::steady_clock::now();
  auto said = ask_doctor({"--probe"});
  EXPECT_LT(std::chrono::steady_clock::now() - started,
            std::chrono::seconds{30});
  EXPECT_EQ(said.code, 1);
  EXPECT_NE(said.out.find("from the host to it"), std::string::npos);
  EXPECT_EQ(shell("nft delete table inet site").code, 0);
}

// What only those chains drop that forwarded packets pass: nobody can read it
// from the rule, and nothing of the host's own goes there.
TEST_F(Doctor, ProbesWhatTheHostForwards) {
  for (const auto* family : {"ip", "ip6"}) {
    SCOPED_TRACE(family);
    const auto table = std::string{family} + " site";
    ASSERT_EQ(shell("nft add table " + table + " && nft 'add chain " + table
                    + " c { type filter hook forward priority 0; }' && "
                      "nft add rule "
                    + table
                    + " c ct state new tcp dport 80 limit rate over 1/day "
                      "burst 1 packets drop")
                .code,
              0);
    ask_doctor({"--probe"}); // The burst.
    auto said = ask_doctor({"--probe"});
    EXPECT_EQ(said.code, 1);
    EXPECT_NE(said.out.find("from endpoint"), std::string::npos) << said.out;
    EXPECT_EQ(shell("nft delete table " + table).code, 0);
    listen_anew();
    said = ask_doctor({"--probe"});
    EXPECT_EQ(said.code, 0) << said.out;
  }
}

// Whoever drops or rejects one kind of packets is there all the same.
TEST_F(Doctor, ProbesAContainerWithAFirewallOfItsOwn) {
  auto in = "nsenter --net=" + keys_["web"] + " nft ";
  auto with_rules = [&](const std::vector<std::string>& rules) {
    auto command = in + "add table inet own && " + in
                   + "'add chain inet own in { type filter hook input "
                     "priority 0; }'";
    for (const auto& x : rules)
      command += " && " + in + "add rule inet own in " + x;
    ASSERT_EQ(shell(command).code, 0);
  };
  const auto no_echo = std::vector<std::string>{
    "icmp type echo-request drop", "icmpv6 type echo-request drop"};
  auto rejects = no_echo;
  rejects.emplace_back("tcp dport 1 reject with icmpx type admin-prohibited");
  auto all = no_echo;
  all.emplace_back("tcp dport 1 drop");
  for (const auto& rules :
       {std::vector<std::string>{"tcp dport 1 drop"}, no_echo, rejects}) {
    SCOPED_TRACE(rules.back());
    with_rules(rules);
    auto said = ask_doctor({"--probe"});
    EXPECT_EQ(said.code, 0) << said.out;
    EXPECT_EQ(shell(in + "delete table inet own").code, 0);
  }
  with_rules(all);
  auto said = ask_doctor({"--probe"});
  EXPECT_EQ(said.code, 1);
  EXPECT_NE(said.out.find("no answer to TCP or ICMP"), std::string::npos)
    << said.out;
  EXPECT_EQ(shell(in + "delete table inet own").code, 0);
}

// The proxy keeps a port whose address has gone: nothing is missing that is
// ours, and nothing arrives.
TEST_F(Doctor, NamesHostAddressesThatWentAway) {
  ASSERT_EQ(shell("ip address add 192.0.2.9/32 dev up0 && "
                  "ip address add 2001:db8:9::9/128 dev up0 nodad")
              .code,
            0);
  auto published = daemon().troupe(
    {"publish", "a/w", "192.0.2.9:8085:80", "[2001:db8:9::9]:8085:80/udp"});
  ASSERT_EQ(published.code, 0) << published.err;
  expect_healthy();
  ASSERT_EQ(shell("ip address del 192.0.2.9/32 dev up0 && "
                  "ip address del 2001:db8:9::9/128 dev up0")
              .code,
            0);
  auto said = ask_doctor();
  EXPECT_EQ(said.code, 1);
  auto report = json::parse(said.out, nullptr, false);
  ASSERT_TRUE(report.is_object()) << said.out;
  auto findings = report.value("findings", json::array());
  EXPECT_EQ(findings.size(), 2U) << said.out;
  for (const auto& x : findings)
    EXPECT_EQ(shell(x.value("command", "")).code, 0) << x.dump();
  expect_healthy();
  check({{"ip link set lo down", ending::named}});
}

/// A daemon that may not touch the host's settings.
class DoctorOfAHumbleDaemon : public Doctor {
protected:
  DoctorOfAHumbleDaemon() {
    flags_ = {"--ip-forward=false"};
  }
};

TEST_F(DoctorOfAHumbleDaemon, NamesSettings) {
  check({{"sysctl -qw net.ipv4.ip_forward=0", ending::named},
         {"sysctl -qw net.ipv4.conf.up0.forwarding=0", ending::named},
         {"sysctl -qw net.ipv4.conf.{BR}.forwarding=0"},
         {"sysctl -qw net.ipv6.conf.all.forwarding=0", ending::named}});
}

} // namespace troupe::test
