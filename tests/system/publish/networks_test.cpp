// A sandbox in several networks: answers leave where the request came in, and
// what others do with routes in there stays.

#include "troupe/tests/system/publish/fixture.hpp"

#include <optional>

namespace troupe::test {

namespace {

using kind = probe::kind;

/// `web` is in `a`, with ports, and in `b`.
class TwoNetworks : public Publish {
protected:
  /// @param priority Of the endpoint in `b`: above 0 it has the default route.
  void join_both(int priority, bool ports_first) {
    auto second = [&] {
      auto ran = daemon().troupe({"attach", "b", "web", "--name", "second",
                                  "--priority", std::to_string(priority)});
      ASSERT_EQ(ran.code, 0) << ran.err;
    };
    if (!ports_first)
      second();
    own_ = attach_web({"8080:80", "8080:80/udp"});
    if (ports_first)
      second();
    auto seen = must("GET", "/v1/networks/b/endpoints/second");
    for (const auto& x : seen.at("spec").at("addresses"))
      own_.push_back(ip(without_length(x.get<std::string>())));
    ASSERT_EQ(own_.size(), 4U);
    service_.emplace();
    service_->add(keys_["web"], 80);
    service_->start();
  }

  void TearDown() override {
    service_.reset(); // Its sockets keep the namespace alive.
    Publish::TearDown();
  }

  void expect_reachable(uint16_t port = 8080) {
    auto probes = std::vector<probe>{};
    for (const auto* to : {uplink_v4, uplink_v6})
      for (auto what : {kind::tcp, kind::udp})
        for (const auto& from : {street_, std::string{}})
          probes.push_back({from, what, ip(to), port, {}});
    for (const auto* to : {uplink_v4, uplink_v6})
      for (const auto* from : {"peer", "far"})
        probes.push_back({keys_[from], kind::tcp, ip(to), port, {}});
    run(probes);
    for (const auto& x : probes)
      EXPECT_NE(x.seen_as, "")
        << "from " << x.from << " to " << to_string(x.to) << " port " << x.port
        << (x.what == kind::udp ? "/udp" : "/tcp");
    EXPECT_EQ(reach(street_, kind::tcp, ip(uplink_v4), port), "192.0.2.2");
  }

  /// From each of the sandbox's addresses and interfaces.
  void expect_pings() {
    auto sources = std::vector<std::string>{"eth0", "eth1"};
    for (const auto& x : own_)
      sources.push_back(to_string(x));
    for (const auto& source : sources)
      for (const auto* to : {"192.0.2.2", "2001:db8:ffff::2"}) {
        auto is_v6 = std::string{to}.find(':') != std::string::npos;
        auto fits = source.starts_with("eth")
                    || (source.find(':') != std::string::npos) == is_v6;
        if (!fits)
          continue;
        auto ran
          = inside({"ping", "-n", "-c", "1", "-W", "5", "-I", source, to});
        EXPECT_EQ(ran.code, 0) << "from " << source << " to " << to << ran.out;
      }
  }

  outcome inside(std::vector<std::string> words) {
    words.insert(words.begin(), {"nsenter", "--net=" + keys_["web"]});
    return test::run(words);
  }

  std::vector<ip_address> own_;
  std::optional<echo_service> service_;
};

} // namespace

TEST_F(TwoNetworks, AnswersLeaveWhereTheRequestCameIn) {
  join_both(10, true);
  expect_reachable();
  expect_pings();
  EXPECT_EQ(doctor(), "");
}

TEST_F(TwoNetworks, WhateverTheirOrder) {
  join_both(0, false);
  expect_reachable();
  expect_pings();
  EXPECT_EQ(doctor(), "");
}

TEST_F(TwoNetworks, AlsoPortsThatArePublishedLater) {
  join_both(10, true);
  for (const auto* port : {"8090:80", "8090:80/udp"}) {
    auto ran = daemon().troupe({"publish", "b/second", port});
    ASSERT_EQ(ran.code, 0) << ran.err;
  }
  EXPECT_NE(reach(street_, kind::tcp, ip(uplink_v4), 8090), "");
  EXPECT_NE(reach(street_, kind::tcp, ip(uplink_v6), 8090), "");
  EXPECT_EQ(doctor(), "");
}

TEST_F(TwoNetworks, UntilOneOfThemIsLeft) {
  join_both(10, true);
  auto ran = daemon().troupe({"detach", "b", "web"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  expect_reachable();
  EXPECT_EQ(doctor(), "");
  ran = daemon().troupe({"detach", "a", "web"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  for (const auto& words : std::vector<std::vector<std::string>>{
         {"ip", "rule"},
         {"ip", "-6", "rule"},
         {"ip", "route", "show", "table", "all"},
         {"ip", "-6", "route", "show", "table", "all"}})
    EXPECT_EQ(inside(words).out.find("proto 116"), std::string::npos);
}

TEST_F(TwoNetworks, RoutesOfTheContainerStayAndPortsAnswer) {
  for (const auto& words : std::vector<std::vector<std::string>>{
         {"ip", "link", "add", "tun0", "type", "bridge"},
         {"ip", "link", "set", "tun0", "up"},
         {"sysctl", "-qw", "net.ipv6.conf.tun0.disable_ipv6=0"},
         {"ip", "route", "add", "default", "dev", "tun0", "metric", "10"},
         {"ip", "-6", "route", "add", "default", "dev", "tun0", "metric",
          "10"}}) {
    auto ran = inside(words);
    ASSERT_EQ(ran.code, 0) << ran.err;
  }
  join_both(10, true);
  for (const auto* family : {"-4", "-6"})
    EXPECT_NE(inside({"ip", family, "route"}).out.find("default dev tun0"),
              std::string::npos);
  // Its own default route comes first, but answers find back.
  EXPECT_NE(reach(street_, kind::tcp, ip(uplink_v4), 8080), "");
  EXPECT_NE(reach(street_, kind::tcp, ip(uplink_v6), 8080), "");
  EXPECT_NE(reach(street_, kind::udp, ip(uplink_v4), 8080), "");
  EXPECT_EQ(doctor(), "");
  for (const auto* network : {"a", "b"})
    daemon().troupe({"detach", network, "web"});
  for (const auto* family : {"-4", "-6"})
    EXPECT_NE(inside({"ip", family, "route"}).out.find("default dev tun0"),
              std::string::npos);
}

TEST_F(TwoNetworks, AnAddressThatComesBackIsReachedAtOnce) {
  create_network("c", {{"enable_ipv6", true}});
  for (const auto* name : {"old", "new", "watcher"})
    keys_[name] = create_sandbox(name).value("key", "");
  attach("c", "watcher");
  auto join = [&](const char* name, const char* mac,
                  const std::vector<std::string>& wanted) {
    auto words = std::vector<std::string>{"attach", "c",     name, "--name",
                                          name,     "--mac", mac};
    words.insert(words.end(), wanted.begin(), wanted.end());
    auto ran = daemon().troupe(words);
    ASSERT_EQ(ran.code, 0) << ran.err;
  };
  join("old", "02:00:00:00:00:51", {});
  auto addresses = std::vector<std::string>{};
  auto seen = must("GET", "/v1/networks/c/endpoints/old");
  for (const auto& x : seen.at("spec").at("addresses"))
    addresses.push_back(without_length(x.get<std::string>()));
  ASSERT_EQ(addresses.size(), 2U);
  auto ping_all = [&](const char* when) {
    for (const auto& address : addresses)
      for (const auto& from : {keys_["watcher"], std::string{}}) {
        auto words = std::vector<std::string>{"ping", "-n", "-c", "1",    "-i",
                                              "0.2",  "-w", "5",  address};
        if (!from.empty())
          words.insert(words.begin(), {"nsenter", "--net=" + from});
        EXPECT_EQ(test::run(words).code, 0)
          << when << ": " << address << " from "
          << (from.empty() ? "the host" : from);
      }
  };
  ping_all("before");
  auto ran = daemon().troupe({"detach", "c", "old"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  join("new", "02:00:00:00:00:99",
       {"--ip", addresses[0], "--ip6", addresses[1]});
  ping_all("after");
}

} // namespace troupe::test
