// Somebody else deletes or changes what is ours; the daemon mends it within two
// seconds and tells.

#include "troupe/tests/fixtures/slowness.hpp"
#include "troupe/tests/system/harness/system_test.hpp"

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstring>
#include <fstream>
#include <functional>
#include <sstream>
#include <thread>

#include <signal.h>
#include <sys/stat.h>

namespace troupe::test {

namespace {

using nlohmann::json;

class Repair : public system_test {
protected:
  // A network with IPv4 and IPv6 and two sandboxes on it.
  void SetUp() override {
    system_test::SetUp();
    if (IsSkipped() || HasFatalFailure())
      return;
    bridge_
      = create_network("net", {{"enable_ipv6", true}}).value("interface", "");
    for (const auto* name : {"left", "right"}) {
      keys_.push_back(create_sandbox(name).value("key", ""));
      ends_.push_back(attach("net", name));
    }
    ASSERT_FALSE(HasFailure());
    healthy_ = look();
  }

  // What must come back: inside and outside, but not the indices.
  std::string look() {
    auto result = std::string{};
    for (const auto& key : keys_) {
      for (const auto& x : interfaces_inside(key)) {
        result += x.name + (x.up ? " up" : " down");
        for (const auto& address : x.addresses)
          result += " " + address;
        result += "\n";
      }
      result += routes_inside(key);
    }
    for (const auto& line : links_outside())
      result += line + "\n";
    return result;
  }

  static std::set<std::string> links_outside() {
    auto result = std::set<std::string>{};
    auto ran = run({"ip", "-j", "link"});
    for (const auto& link : json::parse(ran.out, nullptr, false)) {
      auto flags = link.value("flags", json::array());
      auto is_up = std::find(flags.begin(), flags.end(), "UP") != flags.end();
      result.insert(link.value("ifname", "") + " of "
                    + link.value("master", "-") + (is_up ? " up" : " down")
                    + " mtu " + std::to_string(link.value("mtu", 0)));
    }
    return result;
  }

  // Of all tables, with the rules.
  static std::string routes_inside(const std::string& key) {
    auto lines = std::multiset<std::string>{};
    for (const auto* family : {"-4", "-6"})
      for (const auto& what : std::vector<std::vector<std::string>>{
             {"rule"}, {"route", "show", "table", "all"}}) {
        auto words
          = std::vector<std::string>{"nsenter", "--net=" + key, "ip", family};
        words.insert(words.end(), what.begin(), what.end());
        auto out = std::istringstream{run(words).out};
        for (auto line = std::string{}; std::getline(out, line);)
          lines.insert(line + "\n");
      }
    auto result = std::string{};
    for (const auto& line : lines)
      result += line;
    return result;
  }

  // Damage inside the second sandbox.
  void expect_mended_inside(const std::string& words) {
    SCOPED_TRACE(words);
    expect_mended({"sh", "-c", "nsenter --net=" + keys_.at(1) + " " + words});
  }

  // Does the damage, and expects the old sight within two seconds.
  void expect_mended(const std::vector<std::string>& damage) {
    auto ran = run(damage);
    ASSERT_EQ(ran.code, 0) << ran.err;
    auto started = std::chrono::steady_clock::now();
    auto took = std::chrono::steady_clock::duration{};
    auto seen = std::string{};
    do {
      seen = look();
      took = std::chrono::steady_clock::now() - started;
      std::this_thread::sleep_for(std::chrono::milliseconds{10});
    } while (seen != healthy_ && took < patient(std::chrono::seconds{4}));
    EXPECT_EQ(seen, healthy_);
    EXPECT_LT(took, patient(std::chrono::seconds{2}));
    EXPECT_EQ(doctor(), "");
    expect_reachable();
  }

  // Within two seconds.
  static bool eventually(const std::function<bool()>& is_so) {
    const auto end
      = std::chrono::steady_clock::now() + patient(std::chrono::seconds{2});
    while (!is_so() && std::chrono::steady_clock::now() < end)
      std::this_thread::sleep_for(std::chrono::milliseconds{10});
    return is_so();
  }

  void expect_reachable() {
    for (const auto& address : ends_.at(1).at("spec").at("addresses")) {
      auto ran = run({"nsenter", "--net=" + keys_.at(0), "ping", "-n", "-c",
                      "1", "-W", "2", without_length(address)});
      EXPECT_EQ(ran.code, 0) << ran.out << ran.err;
    }
  }

  std::string host_end() {
    return ends_.at(1).value("host_interface", "");
  }

  std::string bridge_;
  std::vector<std::string> keys_;
  std::vector<json> ends_;
  std::string healthy_;
};

} // namespace

TEST_F(Repair, ADeletedVeth) {
  expect_mended({"ip", "link", "del", host_end()});
}

TEST_F(Repair, AVethDeletedFromInside) {
  expect_mended(
    {"nsenter", "--net=" + keys_.at(1), "ip", "link", "del", "eth0"});
}

TEST_F(Repair, AVethThatIsDown) {
  expect_mended({"ip", "link", "set", host_end(), "down"});
}

TEST_F(Repair, AVethTakenOffItsBridge) {
  expect_mended({"ip", "link", "set", host_end(), "nomaster"});
}

TEST_F(Repair, ARenamedVeth) {
  // Before Linux 6.2 it must be down for that, and the daemon may be quicker.
  auto line = "for i in 1 2 3 4 5 6 7 8 9; do printf 'link set " + host_end()
              + " down\nlink set " + host_end()
              + " name renamed0\nlink set renamed0 up\n' | ip -batch - && exit;"
                " done; exit 1";
  expect_mended({"sh", "-c", line});
}

TEST_F(Repair, ADeletedBridge) {
  expect_mended({"ip", "link", "del", bridge_});
}

TEST_F(Repair, ABridgeThatIsDown) {
  expect_mended({"ip", "link", "set", bridge_, "down"});
}

/// With no more rights than the systemd unit gives.
class RepairAsAUnit : public Repair {
protected:
  RepairAsAUnit() {
    constexpr auto key = std::string_view{"CapabilityBoundingSet="};
    auto file = std::ifstream{TROUPE_UNIT};
    auto bounds = std::string{"--bounding-set=-all"};
    for (auto line = std::string{}; std::getline(file, line);) {
      if (!line.starts_with(key))
        continue;
      auto names = std::istringstream{line.substr(key.size())};
      for (auto name = std::string{}; names >> name;) {
        std::ranges::transform(name, name.begin(), [](unsigned char x) {
          return std::tolower(x);
        });
        bounds += ",+" + name.substr(std::strlen("cap_"));
      }
    }
    wrapper_ = {"setpriv", "--no-new-privs", bounds};
  }
};

TEST_F(RepairAsAUnit, ADeletedVeth) {
  EXPECT_NE(read_file("/proc/" + std::to_string(daemon().pid()) + "/status")
              .find("NoNewPrivs:\t1"),
            std::string::npos);
  expect_mended({"ip", "link", "del", host_end()});
}

TEST_F(RepairAsAUnit, AVethDeletedFromInside) {
  expect_mended(
    {"nsenter", "--net=" + keys_.at(1), "ip", "link", "del", "eth0"});
}

TEST_F(Repair, WhatHappenedIsToldAsAnEvent) {
  auto log = daemon().dir() + "/events";
  auto listener = spawn({command_line_path(), "--host", daemon().uri(),
                         "events", "--format", "json"},
                        log);
  ASSERT_GT(listener, 0);
  auto seen = std::string{};
  for (auto i = 0; i < 20 && seen.find("repair") == std::string::npos; ++i) {
    expect_mended({"ip", "link", "del", host_end()});
    seen = read_file(log);
  }
  EXPECT_NE(seen.find("repair"), std::string::npos) << seen;
  kill(listener, SIGTERM);
  EXPECT_GE(wait_for(listener, std::chrono::seconds{5}), 0);
}

// It is another than the bridge's address; the default route moves away from
// it and back.
TEST_F(Repair, AGatewayThatContainersAreTold) {
  create_network(
    "told", {{"pools",
              {{{"subnet", "10.77.0.0/16"},
                {"gateway", "10.77.0.1"},
                {"aux_addresses", {{"DefaultGatewayIPv4", "10.77.0.9"}}}}}}});
  const auto key = create_sandbox("guest").value("key", "");
  auto goes_to = [&](const std::string& gateway) {
    return run({"nsenter", "--net=" + key, "ip", "route"})
             .out.find("default via " + gateway + " ")
           != std::string::npos;
  };
  attach("told", "guest");
  EXPECT_TRUE(goes_to("10.77.0.9")) << routes_inside(key);
  EXPECT_EQ(doctor(), "");
  must("POST", "/v1/networks/net/attach",
       {{"sandbox", "guest"}, {"spec", {{"priority", 5}}}});
  EXPECT_FALSE(goes_to("10.77.0.9")) << routes_inside(key);
  must("POST", "/v1/networks/net/detach", {{"sandbox", "guest"}});
  EXPECT_TRUE(goes_to("10.77.0.9")) << routes_inside(key);
  EXPECT_EQ(doctor(), "");
}

TEST_F(Repair, RoutesAndRulesInside) {
  expect_mended_inside("ip route flush dev eth0");
  expect_mended_inside("sh -c 'ip -6 route del $(ip -6 route | "
                       "grep -o \"^fd.* dev eth0\" | head -n 1)'");
  expect_mended_inside("ip route del default");
  expect_mended_inside("ip -6 route del default");
  expect_mended_inside("sh -c 'ip route del $(ip route show table local | "
                       "grep \"^local .* dev eth0\" | head -n 1)'");
  expect_mended_inside("sh -c 'ip -6 route del $(ip -6 route show table local "
                       "| grep \"^local fd.* dev eth0\" | head -n 1)'");
  expect_mended_inside("sh -c 'for p in 11600 11601 11602 40000; do ip rule "
                       "del priority $p; ip -6 rule del priority $p; done'");
}

// What the kernel asks for neighbours with. It is missed only when they are
// forgotten, half a minute later: the routes tell.
TEST_F(Repair, LinkLocalAddresses) {
  auto delete_them = [](const std::string& link) {
    return "ip -6 -o addr show dev " + link
           + " scope link | while read -r _ _ _ x _; do ip -6 addr del $x dev "
           + link + "; done";
  };
  auto local_routes = [&] {
    return run({"ip", "-6", "route", "show", "table", "local", "dev", bridge_})
      .out;
  };
  const auto before = local_routes();
  ASSERT_NE(before.find("local fe80::"), std::string::npos) << before;
  for (const auto& damage :
       {delete_them(bridge_), "ip -6 addr flush dev " + bridge_,
        "ip -6 route flush table local dev " + bridge_}) {
    SCOPED_TRACE(damage);
    ASSERT_EQ(run({"sh", "-c", damage}).code, 0);
    EXPECT_TRUE(eventually([&] {
      return local_routes() == before;
    }))
      << local_routes();
    EXPECT_EQ(doctor(), "");
  }
  expect_mended_inside("sh -c '" + delete_them("eth0") + "'");
  // Nobody was there to see it.
  daemon().kill();
  ASSERT_EQ(run({"sh", "-c", delete_them(bridge_)}).code, 0);
  ASSERT_EQ(daemon().start(), "");
  observe_daemon();
  EXPECT_EQ(local_routes(), before);
  EXPECT_EQ(doctor(), "");
}

TEST_F(Repair, NeighboursThatSomebodyNamed) {
  const auto wrong = " lladdr 02:00:00:00:00:99 nud permanent";
  auto is_gone = [&](const std::vector<std::string>& words) {
    return eventually([&] {
      return run(words).out.find("02:00:00:00:00:99") == std::string::npos;
    });
  };
  for (const auto& x : ends_.at(1).at("spec").at("addresses")) {
    const auto address = without_length(x);
    SCOPED_TRACE(address);
    ASSERT_EQ(run({"sh", "-c",
                   "ip neigh replace " + address + " dev " + bridge_ + wrong})
                .code,
              0);
    EXPECT_TRUE(is_gone({"ip", "neigh", "show", "dev", bridge_}));
  }
  const auto inside = "nsenter --net=" + keys_.at(1) + " ip neigh ";
  for (const auto& x :
       json::parse(run({"ip", "-j", "addr", "show", "dev", bridge_}).out)
         .at(0)
         .at("addr_info")) {
    if (x.value("scope", "") != "global")
      continue;
    const auto gateway = x.value("local", "");
    SCOPED_TRACE(gateway);
    ASSERT_EQ(
      run({"sh", "-c", inside + "replace " + gateway + " dev eth0" + wrong})
        .code,
      0);
    EXPECT_TRUE(is_gone({"sh", "-c", inside + "show dev eth0"}));
  }
  EXPECT_EQ(doctor(), "");
  expect_reachable();
}

TEST_F(Repair, AHostEndThatWasMovedElsewhere) {
  ASSERT_EQ(run({"ip", "netns", "add", "elsewhere"}).code, 0);
  expect_mended({"ip", "link", "set", host_end(), "netns", "elsewhere"});
  // Also when it goes before anybody saw it: nothing stays inside.
  ASSERT_EQ(run({"ip", "link", "set", host_end(), "netns", "elsewhere"}).code,
            0);
  must("POST", "/v1/networks/net/detach", {{"sandbox", "right"}});
  EXPECT_NE(
    run({"nsenter", "--net=" + keys_.at(1), "ip", "link", "show", "eth0"}).code,
    0);
  attach("net", "right");
  EXPECT_EQ(doctor(), "");
  EXPECT_EQ(run({"ip", "netns", "del", "elsewhere"}).code, 0);
  run({"umount", "/run/netns"});
}

TEST_F(Repair, APinThatSomebodyUnmounted) {
  auto holder = spawn({"nsenter", "--net=" + keys_.at(1), "sleep", "300"},
                      daemon().dir() + "/holder");
  ASSERT_GT(holder, 0);
  auto inode = [&] {
    struct stat status {};
    return ::stat(keys_.at(1).c_str(), &status) == 0 ? status.st_ino : 0;
  };
  const auto before = inode();
  expect_mended({"umount", "--lazy", keys_.at(1)});
  EXPECT_EQ(inode(), before);
  // A daemon that was not there finds it by the process.
  daemon().kill();
  ASSERT_EQ(run({"umount", keys_.at(1)}).code, 0);
  ASSERT_EQ(daemon().start(), "");
  observe_daemon();
  EXPECT_EQ(inode(), before);
  EXPECT_EQ(look(), healthy_);
  EXPECT_EQ(doctor(), "");
  kill(holder, SIGTERM);
  EXPECT_GE(wait_for(holder, std::chrono::seconds{5}), 0);
}

// The daemon holds the namespaces: the same ones are pinned again.
TEST_F(Repair, TheDirectoryOfPinsThatSomebodyTookAway) {
  const auto key = keys_.at(1);
  const auto directory = key.substr(0, key.rfind('/'));
  auto inode = [&] {
    struct stat status {};
    return ::stat(key.c_str(), &status) == 0 ? status.st_ino : 0;
  };
  const auto before = inode();
  // By then the daemon has seen what it made.
  std::this_thread::sleep_for(std::chrono::seconds{1});
  expect_mended({"sh", "-c", "umount " + directory + "/*; rm -r " + directory});
  EXPECT_EQ(inode(), before);
  // No event tells of this one.
  ASSERT_EQ(run({"mv", directory, directory + ".away"}).code, 0);
  daemon().troupe({"doctor", "--repair"});
  EXPECT_TRUE(eventually([&] {
    return look() == healthy_;
  }))
    << look();
  EXPECT_EQ(inode(), before);
  EXPECT_EQ(doctor(), "");
  run({"sh", "-c", "umount " + directory + ".away/*"});
}

// What users write into them is theirs; that they can is ours.
TEST_F(Repair, TheChainsForRulesOfUsers) {
  auto are_there = [] {
    return run({"nft", "list", "chain", "inet", "troupe_user", "before_troupe"})
               .code
             == 0
           && run({"nft", "list", "chain", "inet", "troupe_user",
                   "before_troupe_input"})
                  .code
                == 0;
  };
  ASSERT_TRUE(are_there());
  for (const auto* damage :
       {"nft delete chain inet troupe_user before_troupe",
        "nft delete chain inet troupe_user before_troupe_input",
        "nft delete table inet troupe_user"}) {
    ASSERT_EQ(run({"sh", "-c", damage}).code, 0);
    EXPECT_TRUE(eventually(are_there)) << damage;
  }
}

// A host that was none before does not become a router for others because
// somebody flushes all rules while nobody is there.
TEST_F(Repair, RulesFlushedWhileTheDaemonWasAway) {
  auto closed = [] {
    return run({"sh", "-c",
                "nft list ruleset | grep -A3 'set no_router' | grep elements"})
      .out;
  };
  // Switched on by the daemon: it is for our networks alone.
  daemon().kill();
  ASSERT_EQ(run({"nft", "flush", "ruleset"}).code, 0);
  ASSERT_EQ(run({"sysctl", "-qw", "net.ipv4.ip_forward=0",
                 "net.ipv6.conf.all.forwarding=0"})
              .code,
            0);
  ASSERT_EQ(daemon().start(), "");
  observe_daemon();
  ASSERT_TRUE(eventually([&] {
    return closed().find("ipv4") != std::string::npos
           && closed().find("ipv6") != std::string::npos;
  }))
    << closed();
  const auto before = closed();
  for (auto i = 0; i < 2; ++i) {
    daemon().kill();
    ASSERT_EQ(run({"nft", "flush", "ruleset"}).code, 0);
    ASSERT_EQ(daemon().start(), "");
    observe_daemon();
    EXPECT_EQ(closed(), before);
  }
  EXPECT_EQ(doctor(), "");
}

// Its owner deleted it, and it did not come back: it is made anew for the
// network, and stays the owner's.
TEST_F(Repair, ABridgeOfTheUsersThatWasDeleted) {
  ASSERT_EQ(run({"ip", "link", "add", "ub0", "type", "bridge"}).code, 0);
  create_network("theirs",
                 {{"options", {{"com.docker.network.bridge.name", "ub0"}}}});
  attach("theirs", "left");
  auto seen = [](const std::string& what) {
    auto out
      = run({"sh", "-c", "ip -d link show ub0 | grep -o '" + what + "'"});
    return out.code == 0;
  };
  // By then the daemon has seen what it made.
  std::this_thread::sleep_for(std::chrono::seconds{1});
  for (auto i = 0; i < 2; ++i) {
    ASSERT_EQ(run({"ip", "link", "del", "ub0"}).code, 0);
    EXPECT_TRUE(eventually([&] {
      return seen("alias troupe:.*+rebuilt") && seen("state UP");
    }));
    EXPECT_TRUE(seen("group default"));
    if (i == 0) { // Another run knows it as well.
      daemon().kill();
      ASSERT_EQ(daemon().start(), "");
      observe_daemon();
      std::this_thread::sleep_for(std::chrono::seconds{1});
    }
  }
  auto said = daemon().troupe({"doctor", "--format", "json"});
  EXPECT_EQ(said.code, 1);
  auto command = std::string{};
  const auto report = json::parse(said.out, nullptr, false);
  for (const auto& x : report.value("findings", json::array()))
    if (x.value("problem", "").find("made anew") != std::string::npos)
      command = x.value("command", "");
  ASSERT_NE(command, "") << said.out;
  EXPECT_NE(daemon().troupe({"status"}).out.find("made anew"),
            std::string::npos);
  // The owner brings back what was in it.
  ASSERT_EQ(run({"sh", "-c",
                 "ip link add vm0 type veth peer name vm1 && "
                 "ip link set vm0 master ub0 up && "
                 "ip address add 198.18.0.1/24 dev ub0 && "
                   + command})
              .code,
            0);
  EXPECT_EQ(doctor(), "");
  EXPECT_EQ(daemon().troupe({"detach", "theirs", "left"}).code, 0);
  EXPECT_EQ(daemon().troupe({"network", "rm", "theirs"}).code, 0);
  EXPECT_TRUE(seen("mtu"));
  EXPECT_FALSE(seen("troupe"));
  EXPECT_EQ(run({"sh", "-c",
                 "ip address show ub0 | grep 198.18.0.1 && "
                 "ip link show vm0 | grep 'master ub0'"})
              .code,
            0);
  EXPECT_EQ(run({"sh", "-c", "ip link del vm0; ip link del ub0"}).code, 0);
}

TEST_F(Repair, ForeignLinksAreNobodysBusiness) {
  ASSERT_EQ(run({"ip", "link", "add", "foreign0", "type", "bridge"}).code, 0);
  ASSERT_EQ(run({"ip", "link", "add", "foreign1", "type", "veth", "peer",
                 "name", "foreign2"})
              .code,
            0);
  ASSERT_EQ(run({"ip", "link", "set", "foreign1", "master", bridge_}).code, 0);
  auto before = observe_kernel();
  daemon().kill();
  ASSERT_EQ(daemon().start(), "");
  observe_daemon();
  EXPECT_EQ(doctor(), "");
  EXPECT_EQ(difference_that_stays(before), "");
  EXPECT_EQ(run({"ip", "link", "del", "foreign0"}).code, 0);
  EXPECT_EQ(run({"ip", "link", "del", "foreign1"}).code, 0);
}

} // namespace troupe::test
