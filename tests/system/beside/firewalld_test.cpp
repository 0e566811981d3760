// The real firewalld beside the real daemon: it knows our bridges without a
// hand, also after it has loaded itself anew, and forgets them with us.

#include "troupe/tests/fixtures/slowness.hpp"
#include "troupe/tests/system/harness/isolation.hpp"
#include "troupe/tests/system/harness/system_test.hpp"

#include <chrono>
#include <filesystem>
#include <functional>
#include <thread>

#include <signal.h>

namespace troupe::test {

namespace {

namespace fs = std::filesystem;

class Firewalld : public system_test {
protected:
  void SetUp() override {
    if (!fs::exists("/usr/sbin/firewalld")
        || !fs::exists("/usr/bin/dbus-daemon"))
      GTEST_SKIP() << "firewalld is not installed";
    if (isolation_refusal().empty()) {
      // Settings of this test's alone. They stay until its daemon has gone.
      ASSERT_EQ(run({"mount", "-t", "tmpfs", "tmpfs", "/etc/firewalld"}).code,
                0);
      has_settings_ = true;
    }
    system_test::SetUp();
    if (IsSkipped() || HasFatalFailure())
      return;
    ASSERT_EQ(run({"ip", "link", "set", "lo", "up"}).code, 0);
  }

  void TearDown() override {
    system_test::TearDown();
    for (auto child : children_) {
      ::kill(child, SIGKILL);
      wait_for(child, std::chrono::seconds{5});
    }
    if (has_settings_) {
      EXPECT_EQ(run({"umount", "/etc/firewalld"}).code, 0);
    }
  }

  /// Starts firewalld with our zone, if it is to have that, and waits for it.
  void start_firewalld(bool with_zone = true) {
    fs::create_directories("/etc/firewalld/zones");
    fs::create_directories("/run/dbus");
    if (with_zone)
      fs::copy_file(TROUPE_SOURCE_DIR "/tools/firewalld/troupe.xml",
                    "/etc/firewalld/zones/troupe.xml");
    children_.push_back(
      spawn({"dbus-daemon", "--system", "--nofork", "--nopidfile"},
            daemon().dir() + "/dbus.log"));
    ASSERT_TRUE(eventually([] {
      return fs::exists("/run/dbus/system_bus_socket");
    }));
    children_.push_back(spawn({"firewalld", "--nofork", "--nopid"},
                              daemon().dir() + "/firewalld.log"));
    ASSERT_TRUE(eventually([] {
      return run({"firewall-cmd", "--state"}).code == 0;
    }))
      << read_file(daemon().dir() + "/firewalld.log");
  }

  /// Generous: firewall-cmd itself takes half a second.
  static bool eventually(const std::function<bool()>& condition) {
    auto until
      = std::chrono::steady_clock::now() + patient(std::chrono::seconds{20});
    while (!condition()) {
      if (std::chrono::steady_clock::now() > until)
        return false;
      std::this_thread::sleep_for(std::chrono::milliseconds{50});
    }
    return true;
  }

  static std::string zone_of(const std::string& bridge) {
    auto zone = run({"firewall-cmd", "--get-zone-of-interface=" + bridge}).out;
    return zone.substr(0, zone.find('\n'));
  }

  static bool is_trusted(const std::string& bridge) {
    return eventually([&] {
      return zone_of(bridge) == "troupe";
    });
  }

  /// A neighbour of the host at 192.0.2.2.
  static void make_neighbour() {
    for (const auto* line :
         {"mkdir -p /run/netns", "ip netns add out",
          "ip link add up0 type veth peer name out0 netns out",
          "ip address add 192.0.2.1/24 dev up0", "ip link set up0 up",
          "ip -n out address add 192.0.2.2/24 dev out0",
          "ip -n out link set out0 up"})
      ASSERT_EQ(run({"sh", "-c", line}).code, 0) << line;
  }

  static void drop_neighbour() {
    EXPECT_EQ(run({"ip", "link", "del", "up0"}).code, 0);
    EXPECT_EQ(run({"ip", "netns", "del", "out"}).code, 0);
    // `ip` mounted it upon itself.
    EXPECT_EQ(run({"umount", "/run/netns"}).code, 0);
  }

  static bool reaches_neighbour(const std::string& key) {
    return run({"nsenter", "--net=" + key, "ping", "-n", "-c", "1", "-W", "1",
                "192.0.2.2"})
             .code
           == 0;
  }

  std::string warnings() {
    return must("GET", "/v1/status").at("warnings").dump();
  }

  std::vector<pid_t> children_;
  bool has_settings_ = false;
};

} // namespace

TEST_F(Firewalld, LetsContainersOut) {
  make_neighbour();
  start_firewalld();
  auto bridge = create_network("net").at("interface").get<std::string>();
  auto key = create_sandbox("box").at("key").get<std::string>();
  attach("net", "box");
  ASSERT_TRUE(is_trusted(bridge)) << daemon().log();
  EXPECT_TRUE(reaches_neighbour(key));
  EXPECT_EQ(warnings().find("firewalld"), std::string::npos) << warnings();
  // Nothing of its settings is changed.
  auto permanent = run(
    {"firewall-cmd", "--permanent", "--zone=troupe", "--list-interfaces"});
  EXPECT_EQ(permanent.code, 0);
  EXPECT_EQ(permanent.out, "\n");

  // It forgets what is not permanent, and is told again.
  ASSERT_EQ(run({"firewall-cmd", "--reload"}).code, 0);
  EXPECT_TRUE(is_trusted(bridge));
  EXPECT_TRUE(reaches_neighbour(key));
  // The daemon itself begins anew.
  daemon().kill();
  ASSERT_EQ(run({"firewall-cmd", "--reload"}).code, 0);
  ASSERT_EQ(daemon().start(), "");
  observe_daemon();
  EXPECT_TRUE(is_trusted(bridge));

  must("DELETE", "/v1/sandboxes/box");
  must("DELETE", "/v1/networks/net");
  EXPECT_TRUE(eventually([&] {
    return zone_of(bridge) != "troupe";
  }));
  drop_neighbour();
}

TEST_F(Firewalld, ThatStartsLaterIsTold) {
  auto bridge = create_network("net").at("interface").get<std::string>();
  start_firewalld();
  EXPECT_TRUE(is_trusted(bridge));
}

TEST_F(Firewalld, WithoutOurZoneIsNamed) {
  start_firewalld(false);
  create_network("net");
  EXPECT_TRUE(eventually([&] {
    return warnings().find("firewall-cmd --reload") != std::string::npos;
  }))
    << warnings();
}

} // namespace troupe::test
