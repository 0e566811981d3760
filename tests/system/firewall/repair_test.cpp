#include "troupe/netns/firewall/ruleset.hpp"
#include "troupe/netns/watch.hpp"

#include "town.hpp"
#include <chrono>
#include <cstring>
#include <fstream>
#include <thread>

#include <netinet/in.h>
#include <unistd.h>

namespace troupe::test {

namespace {

using namespace std::chrono_literals;
using kind = probe::kind;
using event = netns::kernel_event::kind;

class FirewallRepair : public town {
protected:
  std::unique_ptr<netns::watch> watch_changes() {
    auto opened = netns::watch::open(pin_dir(), {rules.table, senders});
    EXPECT_TRUE(opened) << text(opened);
    return std::move(*opened);
  }

  // Is a change by somebody else told within the time?
  static bool tells(netns::watch& source, std::chrono::milliseconds longest) {
    auto until = std::chrono::steady_clock::now() + longest;
    while (std::chrono::steady_clock::now() < until) {
      auto events = source.wait(20ms);
      EXPECT_TRUE(events);
      if (events && std::ranges::any_of(*events, [](const auto& x) {
            return x.what == event::firewall_changed;
          }))
        return true;
    }
    return false;
  }

  bool is_published() {
    return !reach(places["neighbour"], kind::tcp, ip("192.0.2.1"), 8080)
              .empty();
  }

  bool is_open() {
    return !reach(places["neighbour"], kind::tcp, ip("10.1.0.2"), 80).empty();
  }
};

TEST_F(FirewallRepair, ForeignChangesAreTold) {
  build();
  auto source = watch_changes();
  for (const auto& command :
       {"nft delete element inet " + rules.table
          + " publish4_any '{ tcp . "
            "8080 }'",
        "nft add rule inet " + rules.table + " in_internal accept",
        "nft flush chain bridge " + rules.table + " guard",
        "nft delete table inet " + rules.table,
        std::string{"nft delete chain inet troupe_user before_troupe_input"},
        std::string{"nft delete table inet troupe_user"},
        std::string{"nft flush ruleset"}}) {
    load();
    EXPECT_FALSE(tells(*source, 100ms)) << "our own load";
    ASSERT_EQ(shell(command), 0) << command;
    EXPECT_TRUE(tells(*source, 500ms)) << command;
  }
}

TEST_F(FirewallRepair, OwnChangesAndThoseOfOtherTablesAreNot) {
  build();
  auto source = watch_changes();
  load();
  auto one = wanted().front();
  auto changes
    = std::vector<netns::firewall::element_change>{{false, one}, {true, one}};
  ASSERT_TRUE(kernel->change_elements(rules.table, changes));
  ASSERT_EQ(shell("nft add table inet other; nft add chain inet other c; nft "
                  "add rule inet other c accept; nft delete table inet other"),
            0);
  EXPECT_FALSE(tells(*source, 200ms));
}

TEST_F(FirewallRepair, ALoadBringsEverythingBack) {
  build();
  ASSERT_TRUE(is_published());
  ASSERT_FALSE(is_open());
  ASSERT_EQ(shell("nft flush ruleset"), 0);
  EXPECT_FALSE(kernel->list_elements(rules.table));
  load();
  EXPECT_EQ(kernel->list_elements(rules.table).value(), wanted());
  EXPECT_TRUE(is_published());
  EXPECT_FALSE(is_open());
}

// Whatever was changed, with and without a table that can be kept.
TEST_F(FirewallRepair, ALoadMendsEveryChange) {
  build();
  auto list = "(nft -s list table inet " + rules.table
              + "; nft -s list table bridge " + rules.table + ") 2>&1";
  auto before = output_of(list);
  ASSERT_NE(before.find("publish4_any"), std::string::npos) << before;
  auto inet = " inet " + rules.table + " ";
  auto bridge = " bridge " + rules.table + " ";
  for (const auto& command :
       {"add rule" + inet + "in_internal accept",
        "insert rule" + inet + "in_nat accept",
        "flush chain" + inet + "forward",
        "flush chain" + bridge + "guard",
        "flush table" + inet,
        "delete element" + inet + "publish4_any '{ tcp . 8080 }'",
        "add element" + inet + "publish4_any '{ tcp . 81 : 10.1.0.2 . 81 }'",
        "delete element" + inet + "publish4_any '{ tcp . 8080 }'; nft add "
          + "element" + inet + "publish4_any '{ tcp . 8080 : 10.2.0.2 . 81 }'",
        "add element" + inet + "networks '{ \"a;b {\" }'",
        "add chain" + inet + "forward '{ policy drop; }'",
        "add table" + inet + "'{ flags dormant; }'",
        "add chain" + inet + "more '{ type filter hook forward priority 7; "
          + "policy drop; }'",
        "add chain" + inet + "more; nft add element" + inet
          + "enter '{ ipv4 . \"x\" : goto more }'",
        "add set" + bridge + "more '{ type ifname; }'",
        "delete table" + inet,
        "delete table" + bridge,
        "delete table" + inet + "; nft add table" + inet,
        "flush chain" + bridge + "prerouting; nft delete chain" + bridge
          + "prerouting; nft add chain" + bridge
          + "prerouting '{ type filter hook prerouting priority 3; }'",
        "flush chain" + bridge + "prerouting; nft delete set" + bridge
          + "unguarded; nft add set" + bridge + "unguarded '{ type mark; }'",
        std::string{"flush ruleset"}}) {
    ASSERT_EQ(shell("nft " + command), 0) << command;
    EXPECT_NE(output_of(list), before) << command;
    load();
    EXPECT_EQ(output_of(list), before) << command;
  }
}

TEST_F(FirewallRepair, TheUsersChainIsNeverTouched) {
  build();
  ASSERT_EQ(shell("nft add rule inet troupe_user before_troupe ip saddr "
                  "192.0.2.2 tcp dport 80 counter drop; nft 'add chain inet "
                  "troupe_user before_troupe { policy drop; }'; nft add rule "
                  "inet troupe_user before_troupe accept"),
            0);
  auto list = "nft -s list table inet troupe_user";
  auto before = output_of(list);
  ASSERT_NE(before.find("policy drop"), std::string::npos) << before;
  EXPECT_FALSE(is_published());
  load();
  EXPECT_EQ(output_of(list), before);
  EXPECT_FALSE(is_published());
  ASSERT_TRUE(kernel->remove_firewall(rules.table));
  EXPECT_EQ(output_of(list), before);
}

TEST_F(FirewallRepair, EstablishedConnectionsSurviveALoad) {
  build();
  auto from = open_socket(places["neighbour"], AF_INET, SOCK_STREAM);
  auto to = open_socket(places["a1"], AF_INET, SOCK_STREAM);
  auto address = sockaddr_in{};
  address.sin_family = AF_INET;
  address.sin_port = htons(82);
  auto* plain = reinterpret_cast<sockaddr*>(&address);
  ASSERT_EQ(bind(to, plain, sizeof address), 0);
  ASSERT_EQ(listen(to, 1), 0);
  auto extra = netns::firewall::make_element(
    netns::firewall::set_id::publish4_any, {protocol::tcp, uint16_t{8082}},
    {ip("10.1.0.2"), uint16_t{82}});
  auto changes
    = std::vector<netns::firewall::element_change>{{true, extra.value()}};
  ASSERT_TRUE(kernel->change_elements(rules.table, changes));
  address.sin_port = htons(8082);
  std::memcpy(&address.sin_addr, ip("192.0.2.1").bytes().data(), 4);
  ASSERT_EQ(connect(from, plain, sizeof address), 0) << std::strerror(errno);
  auto server = accept(to, nullptr, nullptr);
  ASSERT_GE(server, 0);
  load(); // The mapping is gone, the connection stays.
  auto limit = timeval{2, 0};
  setsockopt(server, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ASSERT_EQ(send(from, "x", 1, MSG_NOSIGNAL), 1);
  auto byte = char{};
  EXPECT_EQ(recv(server, &byte, 1, 0), 1);
  for (auto fd : {from, to, server})
    close(fd);
}

// A thousand times a second, each time a new connection: one to the published
// port and one past it.
TEST_F(FirewallRepair, ThereIsNoInstantWithoutRules) {
  build();
  // The neighbours must know each other; a first packet may get lost.
  ASSERT_TRUE(is_published());
  ASSERT_NE(reach(places["neighbour"], kind::udp, ip("192.0.2.1"), 8080), "");
  auto before = servers.datagrams();
  auto stop = std::atomic<bool>{false};
  auto sent = 0;
  auto open = std::atomic<int>{0};
  auto sampler = std::thread{[&] {
    auto next = std::chrono::steady_clock::now();
    auto send_one = [&](const char* to, uint16_t port) {
      auto fd = open_socket(places["neighbour"], AF_INET, SOCK_DGRAM);
      auto address = sockaddr_in{};
      address.sin_family = AF_INET;
      address.sin_port = htons(port);
      std::memcpy(&address.sin_addr, ip(to).bytes().data(), 4);
      sendto(fd, "?", 1, 0, reinterpret_cast<sockaddr*>(&address),
             sizeof address);
      return fd;
    };
    while (!stop) {
      close(send_one("192.0.2.1", 8080));
      ++sent;
      // Kept open until an answer would have come.
      auto direct = send_one("10.1.0.2", 81);
      next += 1ms;
      std::this_thread::sleep_until(next);
      auto byte = char{};
      if (recv(direct, &byte, 1, MSG_DONTWAIT) == 1)
        ++open;
      close(direct);
    }
  }};
  for (int i = 0; i < 30; ++i) {
    load();
    std::this_thread::sleep_for(20ms); // Some packets between two of them.
  }
  stop = true;
  sampler.join();
  for (auto i = 0; i < 500 && servers.datagrams() - before < sent; ++i)
    std::this_thread::sleep_for(10ms);
  EXPECT_GE(sent, 500);
  EXPECT_EQ(servers.datagrams() - before, sent);
  EXPECT_EQ(open, 0);
  RecordProperty("samples", sent);
}

// As fast as one processor can: an instant of a microsecond is found, too.
TEST_F(FirewallRepair, AFloodFindsNoInstantWithoutRules) {
  build();
  auto address = sockaddr_in{};
  address.sin_family = AF_INET;
  address.sin_port = htons(83);
  auto* plain = reinterpret_cast<sockaddr*>(&address);
  auto inside = open_socket(places["a1"], AF_INET, SOCK_DGRAM);
  ASSERT_EQ(bind(inside, plain, sizeof address), 0);
  std::memcpy(&address.sin_addr, ip("10.1.0.2").bytes().data(), 4);
  auto outside = open_socket(places["neighbour"], AF_INET, SOCK_DGRAM);
  ASSERT_EQ(connect(outside, plain, sizeof address), 0);
  auto stop = std::atomic<bool>{false};
  auto sent = 0;
  auto flood = std::thread{[&] {
    while (!stop)
      sent += send(outside, "?", 1, 0) == 1 ? 1 : 0;
  }};
  for (int i = 0; i < 200; ++i)
    load();
  stop = true;
  flood.join();
  auto byte = char{};
  EXPECT_GE(sent, 10'000);
  EXPECT_EQ(recv(inside, &byte, 1, MSG_DONTWAIT), -1);
  RecordProperty("samples", sent);
  close(inside);
  close(outside);
}

TEST_F(FirewallRepair, LoadsOverTheTablesOfACrashedRun) {
  build();
  auto other = netns::open_netlink_kernel(pin_dir()).value();
  ASSERT_TRUE(other->load_firewall(rules, wanted()));
  EXPECT_EQ(other->list_elements(rules.table).value(), wanted());
  EXPECT_TRUE(is_published());
}

/// Beside a firewall whose forward chain drops by default.
class BesideOthers : public FirewallRepair {
protected:
  void expect_answer_of_the_page(const std::string& add_rules) {
    EXPECT_FALSE(is_published());
    auto blockers = kernel->forward_blockers();
    ASSERT_TRUE(blockers) << text(blockers);
    ASSERT_EQ(blockers->size(), 1U);
    ASSERT_EQ(shell(add_rules), 0) << add_rules;
    EXPECT_TRUE(is_published());
    EXPECT_EQ(reach(places["a1"], kind::tcp, ip("192.0.2.2"), 80), "192.0.2.1");
    EXPECT_FALSE(is_open());
    EXPECT_EQ(reach(places["b1"], kind::tcp, ip("10.1.0.2"), 80), "");
    load();
    EXPECT_TRUE(is_published());
  }

  unsigned group() const {
    return instance::of(run_dir()).link_group();
  }
};

TEST_F(BesideOthers, IptablesPolicyDropIsReportedAndTheCommandHelps) {
  if (shell("command -v iptables-nft >/dev/null") != 0)
    GTEST_SKIP() << "there is no iptables-nft";
  build();
  ASSERT_EQ(shell("iptables-nft -P FORWARD DROP"), 0);
  auto blockers = kernel->forward_blockers().value();
  ASSERT_EQ(blockers.size(), 1U);
  EXPECT_EQ(blockers[0],
            (netns::firewall::foreign_chain{"ip", "filter", "FORWARD", 0}));
  auto number = std::to_string(group());
  expect_answer_of_the_page("iptables-nft -I FORWARD -m devgroup --src-group "
                            + number
                            + " -j ACCEPT; iptables-nft -I FORWARD -m devgroup "
                              "--dst-group "
                            + number + " -j ACCEPT");
}

TEST_F(BesideOthers, NftPolicyDropIsReportedAndTheCommandHelps) {
  build();
  ASSERT_EQ(shell("nft add table inet site; nft 'add chain inet site forward { "
                  "type filter hook forward priority 10; policy drop; }'"),
            0);
  auto number = std::to_string(group());
  expect_answer_of_the_page(
    "nft insert rule inet site forward iifgroup " + number
    + " accept; nft insert rule inet site forward oifgroup " + number
    + " accept");
}

TEST_F(BesideOthers, PolicyAcceptIsNoObstacle) {
  build();
  ASSERT_EQ(shell("nft add table ip filter; nft 'add chain ip filter FORWARD { "
                  "type filter hook forward priority 0; policy accept; }'"),
            0);
  EXPECT_TRUE(kernel->forward_blockers().value().empty());
  EXPECT_TRUE(is_published());
}

// The page shows the ruleset as it is loaded.
TEST_F(FirewallRepair, ThePageAgreesWithTheRunningSystem) {
  build();
  auto live = output_of("nft -s -t list table inet " + rules.table)
              + output_of("nft -s -t list table bridge " + rules.table);
  // What differs from daemon to daemon.
  for (const auto& [own, shown] :
       {std::pair{rules.table, std::string{"troupe_0a1b2c"}},
        std::pair{"ifgroup " + std::to_string(rules.group) + "/31",
                  std::string{"ifgroup 1946157058/31"}}})
    for (auto at = live.find(own); at != std::string::npos;
         at = live.find(own, at + shown.size()))
      live.replace(at, own.size(), shown);
  auto file = std::ifstream{std::string{DOCS_DIR} + "/firewall.md"};
  auto page = std::string{std::istreambuf_iterator<char>{file}, {}};
  EXPECT_NE(page.find("```nft\n" + live + "```"), std::string::npos)
    << "docs/firewall.md must have this:\n"
    << live;
}

} // namespace

} // namespace troupe::test
