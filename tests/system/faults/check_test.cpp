// `troupe check`: finds what is wrong, with or without a daemon, and changes
// nothing.

#include "troupe/tests/system/faults/fixture.hpp"

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include <signal.h>

namespace troupe::test {

namespace {

using nlohmann::json;

class Check : public faults_test {
protected:
  // A dual-stack network with two published ports, an internal network, and a
  // sandbox on both.
  void SetUp() override {
    faults_test::SetUp();
    if (IsSkipped() || HasFatalFailure())
      return;
    accepted(
      {"network", "create", "--ipv6", "--subnet", "10.7.0.0/24", "wide"});
    accepted({"network", "create", "--internal", "inner"});
    accepted({"attach", "wide", "box", "--ip", "10.7.0.5", "-p", "8080:80",
              "-p", "127.0.0.1:8081:81/udp"});
    accepted({"attach", "inner", "box"});
    key_ = must("GET", "/v1/sandboxes/box").value("key", "");
    auto end = must("GET", "/v1/networks/wide/endpoints/box");
    host_end_ = end.value("host_interface", "");
    interface_ = end.value("interface", "");
    bridge_ = must("GET", "/v1/networks/wide").value("interface", "");
    ASSERT_FALSE(HasFailure());
  }

  // The proxy outlives the daemon, so that connections do.
  void TearDown() override {
    if (!IsSkipped()) {
      // The daemon keeps its connection with the proxy.
      remove_everything();
      observe_daemon();
      end_proxy();
    }
    faults_test::TearDown();
  }

  // All processes that can be seen are this program's own.
  static void end_proxy() {
    auto why = std::error_code{};
    for (const auto& x : std::filesystem::directory_iterator{"/proc", why})
      if (read_file(x.path() / "comm") == "troupe-proxy\n")
        (void)::kill(std::atoi(x.path().filename().c_str()), SIGKILL);
  }

  std::string file_of_store(const std::string& part) {
    return read_file(daemon().dir() + part + "/data.mdb");
  }

  // Damages something while no daemon mends it. `says`: what check must say.
  void expect_found(const std::vector<std::vector<std::string>>& damage,
                    const std::vector<std::string>& says) {
    daemon().kill();
    for (const auto& words : damage) {
      auto ran = run(words);
      EXPECT_EQ(ran.code, 0) << words.front() << " " << ran.err;
    }
    const auto before = observe();
    const auto found = check();
    EXPECT_EQ(found.code, 1) << found.out << found.err;
    for (const auto& text : says)
      EXPECT_NE(found.out.find(text), std::string::npos)
        << text << " is not in:\n"
        << found.out;
    EXPECT_EQ(difference_from(before), "");
    start_again();
  }

  std::vector<std::string> inside(std::vector<std::string> words) {
    words.insert(words.begin(), {"nsenter", "--net=" + key_});
    return words;
  }

  std::string key_;
  std::string host_end_;
  std::string interface_;
  std::string bridge_;
};

} // namespace

TEST_F(Check, FindsNothingOnAHealthyHostAndChangesNothing) {
  const auto before = observe();
  const auto durable = file_of_store("/state/durable");
  const auto runtime = file_of_store("/run/runtime");
  const auto asked = daemon().troupe({"check"});
  EXPECT_EQ(asked.code, 0) << asked.out << asked.err;
  EXPECT_EQ(asked.out, "Records and kernel agree.\n");
  daemon().kill();
  const auto alone = check();
  EXPECT_EQ(alone.code, 0) << alone.out << alone.err;
  EXPECT_EQ(difference_from(before), "");
  EXPECT_EQ(file_of_store("/state/durable"), durable);
  EXPECT_EQ(file_of_store("/run/runtime"), runtime);
  start_again();
  expect_clean();
}

TEST_F(Check, FindsWhatIsWrongInASandbox) {
  expect_found(
    {inside({"ip", "addr", "del", "10.7.0.5/24", "dev", interface_})},
    {"lacks address 10.7.0.5/24", "default route goes to nobody"});
  expect_found({inside({"ip", "link", "set", interface_, "down"})},
               {"interface " + interface_ + " is down"});
  expect_found(
    {inside({"ip", "link", "set", interface_, "address", "02:00:00:00:00:01"})},
    {"has MAC 02:00:00:00:00:01"});
  expect_clean();
}

TEST_F(Check, FindsWhatIsWrongOnTheHost) {
  expect_found({{"ip", "link", "set", host_end_, "down"}},
               {"link " + host_end_ + " is down"});
  expect_found({{"ip", "link", "set", host_end_, "nomaster"}},
               {host_end_ + " is not on its bridge"});
  expect_found({{"ip", "link", "del", host_end_}},
               {"link " + host_end_ + " is missing",
                "interface " + interface_ + " is missing"});
  expect_found({{"ip", "addr", "flush", "dev", bridge_}},
               {"addresses of bridge " + bridge_});
  expect_found({{"ip", "link", "del", bridge_}},
               {"bridge " + bridge_ + " is missing"});
  expect_clean();
}

TEST_F(Check, FindsLeftovers) {
  const auto links = json::parse(run({"ip", "-j", "link", "show", bridge_}).out,
                                 nullptr, false);
  const auto group = links.at(0).value("group", "");
  const auto stray = daemon().dir() + "/run/netns/0123456789ab";
  std::ofstream{stray} << "";
  expect_found(
    {{"ip", "link", "add", "left0", "type", "bridge"},
     {"ip", "link", "set", "left0", "group", group}},
    {"link left0 belongs to nobody", "pin 0123456789ab belongs to nobody"});
  (void)run({"ip", "link", "del", "left0"});
  std::filesystem::remove(stray);
  expect_clean();
}

TEST_F(Check, FindsRulesThatAreGoneOrStrange) {
  expect_found({{"nft", "flush", "ruleset"}},
               {"rule enter ipv4 . " + bridge_ + " is missing",
                "rule enter ipv6 . " + bridge_ + " is missing",
                "rule guard_mac " + host_end_ + " is missing",
                "rule publish4_any tcp . 8080 is missing",
                "rule publish6_any tcp . 8080 is missing"});
  auto table = std::string{};
  const auto tables = json::parse(
    run({"nft", "-j", "list", "tables", "inet"}).out, nullptr, false);
  for (const auto& x : tables.at("nftables"))
    if (auto name = x.value("table", json::object()).value("name", "");
        name.starts_with("troupe_") && name != "troupe_user")
      table = name;
  expect_found({{"nft", "add", "element", "inet", table, "publish4_any",
                 "{ tcp . 9999 : 10.7.0.5 . 80 }"}},
               {"rule publish4_any tcp . 9999 belongs to nobody"});
  expect_clean();
}

TEST_F(Check, FindsAMissingPin) {
  // The namespace goes with its last pin, a little later.
  const auto script
    = "umount " + key_ + "; for i in $(seq 100); do ip link show " + host_end_
      + " >/dev/null 2>&1 || exit 0; sleep 0.05; " + "done; exit 1";
  expect_found({{"sh", "-c", script}}, {"its pin is mounted 0 times",
                                        "link " + host_end_ + " is missing"});
  expect_clean();
}

TEST_F(Check, IsNotMisledByADaemonAtWork) {
  create_sandbox("busy");
  auto stop = std::atomic<bool>{false};
  auto worker = std::thread{[&] {
    while (!stop) {
      (void)daemon().troupe({"attach", "wide", "busy", "-p", "9090:90"});
      (void)daemon().troupe({"detach", "wide", "busy"});
    }
  }};
  for (auto i = 0; i < 20; ++i) {
    const auto found = check();
    EXPECT_EQ(found.code, 0) << found.out << found.err;
  }
  stop = true;
  worker.join();
  expect_clean();
}

TEST_F(Check, NeedsNothingOfADaemonThatHangs) {
  ASSERT_EQ(::kill(daemon().pid(), SIGSTOP), 0);
  const auto begin = std::chrono::steady_clock::now();
  const auto found = check();
  EXPECT_EQ(found.code, 0) << found.out << found.err;
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds{2});
  ASSERT_EQ(::kill(daemon().pid(), SIGCONT), 0);
  expect_clean();
}

TEST_F(Check, SaysWhenItCannotLook) {
  const auto nowhere = daemon().troupe(
    {"check", "--state-dir", "/nosuch", "--run-dir", "/nosuch"});
  EXPECT_EQ(nowhere.code, 2);
  EXPECT_NE(nowhere.err.find("/nosuch"), std::string::npos) << nowhere.err;
  const auto remote
    = daemon().troupe({"--host", "caf+tls://127.0.0.1", "check"});
  EXPECT_EQ(remote.code, 2);
  EXPECT_NE(remote.err.find("this host"), std::string::npos) << remote.err;
  const auto program = daemon().dir() + "/troupe";
  std::filesystem::copy_file(command_line_path(), program);
  const auto stranger
    = run({"setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
           program, "check", "--state-dir", daemon().dir() + "/state",
           "--run-dir", daemon().dir() + "/run"});
  EXPECT_EQ(stranger.code, 2);
  EXPECT_NE(stranger.err.find("permission denied"), std::string::npos)
    << stranger.err;
}

} // namespace troupe::test
