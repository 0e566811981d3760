// Published ports of the real daemon: who reaches them, who does not, and that
// they and their connections outlive the daemon.

#include "troupe/tests/system/publish/fixture.hpp"

#include <thread>

namespace troupe::test {

namespace {

using nlohmann::json;
using kind = probe::kind;

struct attempt {
  std::string from; ///< A sandbox, `street`, or empty for the host.
  kind what;
  std::string to;
  uint16_t port;
  bool reached;
};

} // namespace

TEST_F(Publish, IsReachedFromEverywhereAndNothingElseIs) {
  auto own = attach_web({"8080:80", "5353:53/udp", "127.0.0.1:8081:80"});
  ASSERT_EQ(own.size(), 2U);
  auto service = echo_service{};
  for (uint16_t port : {80, 81, 53})
    service.add(keys_["web"], port);
  service.start();
  auto direct_v4 = to_string(own[0]);
  auto direct_v6 = to_string(own[1]);
  const auto attempts = std::vector<attempt>{
    {"street", kind::tcp, uplink_v4, 8080, true},
    {"street", kind::tcp, uplink_v6, 8080, true},
    {"street", kind::udp, uplink_v4, 5353, true},
    {"street", kind::udp, uplink_v6, 5353, true},
    {"", kind::tcp, uplink_v4, 8080, true},
    {"", kind::tcp, uplink_v6, 8080, true},
    {"", kind::tcp, "127.0.0.1", 8080, true},
    {"", kind::tcp, "::1", 8080, true},
    {"", kind::udp, "127.0.0.1", 5353, true},
    {"", kind::udp, "::1", 5353, true},
    {"peer", kind::tcp, uplink_v4, 8080, true},
    {"peer", kind::tcp, uplink_v6, 8080, true},
    {"far", kind::tcp, uplink_v4, 8080, true},
    {"far", kind::tcp, uplink_v6, 8080, true},
    {"web", kind::tcp, uplink_v4, 8080, true},
    {"web", kind::tcp, uplink_v6, 8080, true},
    // Only on loopback.
    {"", kind::tcp, "127.0.0.1", 8081, true},
    {"street", kind::tcp, uplink_v4, 8081, false},
    {"far", kind::tcp, uplink_v4, 8081, false},
    // The container itself: from its network and the host only.
    {"peer", kind::tcp, direct_v4, 80, true},
    {"peer", kind::tcp, direct_v6, 80, true},
    {"", kind::tcp, direct_v4, 81, true},
    {"far", kind::tcp, direct_v4, 80, false},
    {"far", kind::tcp, direct_v6, 80, false},
    {"far", kind::ping, direct_v4, 0, false},
    {"street", kind::tcp, direct_v4, 80, false},
    {"street", kind::tcp, direct_v6, 80, false},
    {"street", kind::ping, direct_v4, 0, false},
    {"street", kind::ping, direct_v6, 0, false},
    // Out into the world.
    {"web", kind::ping, "192.0.2.2", 0, true},
    {"web", kind::ping, "2001:db8:ffff::2", 0, true},
  };
  auto probes = std::vector<probe>{};
  for (const auto& x : attempts)
    probes.push_back({x.from == "street" ? street_
                      : x.from.empty()   ? ""
                                         : keys_[x.from],
                      x.what,
                      ip(x.to),
                      x.port,
                      {}});
  run(probes);
  for (size_t i = 0; i < attempts.size(); ++i)
    EXPECT_EQ(!probes[i].seen_as.empty(), attempts[i].reached)
      << "from " << (attempts[i].from.empty() ? "host" : attempts[i].from)
      << " to " << attempts[i].to << " port " << attempts[i].port;
  // The client's address is kept where the kernel does the work.
  EXPECT_EQ(reach(street_, kind::tcp, ip(uplink_v4), 8080), "192.0.2.2");
}

TEST_F(Publish, OutlivesTheDaemonWithItsConnections) {
  attach_web({"8080:80"});
  const auto server = listen_in(keys_["web"], 80);
  const auto outside = connect_from(street_, uplink_v4, 8080);
  const auto through_rules = server.accept();
  const auto inside = connect_from("", "127.0.0.1", 8080);
  const auto through_proxy = server.accept();
  ASSERT_TRUE(outside.is_open());
  ASSERT_TRUE(inside.is_open());
  for (auto round = 0; round < 3; ++round) {
    daemon().kill();
    EXPECT_TRUE(outside.say("while it is dead"));
    EXPECT_EQ(through_rules.hear(), "while it is dead");
    EXPECT_TRUE(inside.say("also here"));
    EXPECT_EQ(through_proxy.hear(), "also here");
    ASSERT_EQ(daemon().start(), "");
    reconnect();
    EXPECT_TRUE(through_rules.say("back"));
    EXPECT_EQ(outside.hear(), "back");
    EXPECT_TRUE(through_proxy.say("back as well"));
    EXPECT_EQ(inside.hear(), "back as well");
  }
  auto seen = must("GET", "/v1/networks/a/endpoints/w");
  EXPECT_EQ(seen.at("bindings").size(), 2U) << seen.dump();
  EXPECT_EQ(doctor(), "");
}

TEST_F(Publish, ReturnsWhenSomebodyElseGivesThePortBack) {
  attach_web({"8080:80"});
  const auto server = listen_in(keys_["web"], 80);
  daemon().kill();
  ASSERT_EQ(run({"pkill", "-x", "troupe-proxy"}).code, 0);
  {
    auto thief = connection{};
    for (auto i = 0; i < 100 && !thief.is_open(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds{20});
      thief = listen_in("", 8080);
    }
    ASSERT_TRUE(thief.is_open());
    ASSERT_EQ(daemon().start(), "");
    reconnect();
    EXPECT_NE(must("GET", "/v1/status").dump().find("not published"),
              std::string::npos);
  }
  must("POST", "/v1/doctor", {{"repair", true}});
  EXPECT_EQ(must("GET", "/v1/status").dump().find("not published"),
            std::string::npos);
  for (const auto& [from, to] :
       {std::pair{street_, uplink_v4}, std::pair{std::string{}, "127.0.0.1"}}) {
    const auto client = connect_from(from, to, 8080);
    const auto served = server.accept();
    EXPECT_TRUE(client.say("again"));
    EXPECT_EQ(served.hear(), "again");
  }
  EXPECT_EQ(doctor(), "");
}

TEST_F(Publish, ConflictsNameWhoHasThePort) {
  attach_web({"8080:80"});
  auto taken = daemon().troupe({"attach", "b", "web", "-p", "8080:80"});
  EXPECT_EQ(taken.code, 4) << taken.err;
  EXPECT_NE(taken.err.find("8080"), std::string::npos) << taken.err;
  EXPECT_NE(taken.err.find("w"), std::string::npos) << taken.err;
  const auto foreign = listen_in("", 9090);
  ASSERT_TRUE(foreign.is_open());
  auto busy = daemon().troupe({"attach", "b", "web", "-p", "9090:80"});
  EXPECT_EQ(busy.code, 4) << busy.err;
  EXPECT_NE(busy.err.find("system_publish"), std::string::npos) << busy.err;
  // All or nothing: the first of the two is free again.
  auto half
    = daemon().troupe({"attach", "b", "web", "-p", "9091:80", "-p", "9090:81"});
  EXPECT_EQ(half.code, 4) << half.err;
  auto whole = daemon().troupe({"attach", "b", "web", "-p", "9091:80"});
  EXPECT_EQ(whole.code, 0) << whole.err;
}

TEST_F(Publish, PortsComeAndGoLater) {
  attach_web({});
  auto service = echo_service{};
  service.add(keys_["web"], 80);
  service.start();
  auto published = daemon().troupe({"publish", "a/w", "8080:80"});
  EXPECT_EQ(published.code, 0) << published.err;
  EXPECT_EQ(published.out, "0.0.0.0:8080->80/tcp\n[::]:8080->80/tcp\n");
  EXPECT_EQ(reach(street_, kind::tcp, ip(uplink_v4), 8080), "192.0.2.2");
  auto removed = daemon().troupe({"unpublish", "a/w", "80"});
  EXPECT_EQ(removed.code, 0) << removed.err;
  EXPECT_EQ(removed.out, "");
  EXPECT_EQ(reach(street_, kind::tcp, ip(uplink_v4), 8080), "");
  EXPECT_EQ(daemon().troupe({"unpublish", "a/w", "80"}).code, 3);
  const auto free_again = listen_in("", 8080);
  EXPECT_TRUE(free_again.is_open());
}

TEST_F(Publish, ClosesWithTheSandbox) {
  attach_web({"8080:80"});
  must("DELETE", "/v1/sandboxes/web");
  const auto free_again = listen_in("", 8080);
  EXPECT_TRUE(free_again.is_open());
}

TEST_F(Publish, SomebodyElseFlushesTheRules) {
  attach_web({"8080:80"});
  auto service = echo_service{};
  service.add(keys_["web"], 80);
  service.start();
  ASSERT_EQ(run({"nft", "flush", "ruleset"}).code, 0);
  auto seen = std::string{};
  for (auto i = 0; i < 20 && seen.empty(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds{25});
    if (run({"nft", "list", "tables"}).out.find("troupe_") != std::string::npos)
      seen = "there";
  }
  EXPECT_EQ(seen, "there") << "not mended within 500 ms";
  EXPECT_EQ(reach(street_, kind::tcp, ip(uplink_v4), 8080), "192.0.2.2");
  EXPECT_EQ(reach(keys_["far"], kind::tcp, ip(uplink_v4), 8080).empty(), false);
  EXPECT_EQ(doctor(), "");
}

TEST_F(Publish, BadPortsAreRefusedBeforeAnythingIsTouched) {
  for (const auto* port :
       {"80/foo", "8080:0", "99999:80", "80-70", "1-3:80-81", "",
        "8080:80; flush ruleset", "1.2.3:80:80", "[::1:80:80", "8080:80\n81"}) {
    auto ran = daemon().troupe({"attach", "a", "web", "-p", port});
    EXPECT_EQ(ran.code, 2) << port << ": " << ran.err;
    EXPECT_TRUE(ran.err.starts_with("Error: ")) << ran.err;
  }
  auto nowhere
    = daemon().troupe({"attach", "a", "web", "-p", "203.0.113.9:80:80"});
  EXPECT_NE(nowhere.code, 0);
  EXPECT_NE(nowhere.err.find("203.0.113.9"), std::string::npos) << nowhere.err;
  create_network("closed", {{"internal", true}});
  auto internal = daemon().troupe({"attach", "closed", "web", "-p", "8080:80"});
  EXPECT_EQ(internal.code, 1) << internal.err;
  EXPECT_NE(internal.err.find("internal"), std::string::npos) << internal.err;
  must("DELETE", "/v1/networks/closed");
  EXPECT_EQ(must("GET", "/v1/sandboxes/web").at("endpoints").size(), 0U);
}

} // namespace troupe::test
