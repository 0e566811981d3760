// Each command of the command line, through the real daemon.

#include "troupe/tests/system/harness/system_test.hpp"

#include <signal.h>

namespace troupe::test {

namespace {

using nlohmann::json;
using words = std::vector<std::string>;

class CommandLine : public system_test {
protected:
  // Runs a command that must succeed. @returns its output.
  std::string ok(const words& command) {
    auto ran = daemon().troupe(command);
    auto text = std::string{"troupe"};
    for (const auto& word : command)
      text += " " + word;
    EXPECT_EQ(ran.code, 0) << text << "\n" << ran.out << ran.err;
    return ran.out;
  }

  json ok_json(words command) {
    command.insert(command.end(), {"--format", "json"});
    auto text = ok(command);
    auto result = json::parse(text, nullptr, false);
    EXPECT_FALSE(result.is_discarded()) << text;
    return result;
  }

  static std::string trimmed(std::string text) {
    while (!text.empty() && text.back() == '\n')
      text.pop_back();
    return text;
  }

  static bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
  }
};

} // namespace

TEST_F(CommandLine, NetworksLiveAndDie) {
  auto id = trimmed(
    ok({"network", "create", "--subnet", "10.4.0.0/24", "--gateway",
        "10.4.0.254", "--ip-range", "10.4.0.64/26", "--label", "a=b", "blue"}));
  EXPECT_EQ(id.size(), 64U) << id;
  ok({"network", "create", "--internal", "--ipv6", "--subnet", "fd00:4::/64",
      "red"});
  auto table = ok({"network", "ls"});
  EXPECT_TRUE(has(table, "blue") && has(table, "red")) << table;
  EXPECT_TRUE(has(table, id.substr(0, 12))) << table;
  EXPECT_FALSE(has(table, id)) << table;
  EXPECT_TRUE(has(ok({"network", "ls", "--no-trunc"}), id));
  EXPECT_TRUE(has(ok({"network", "ls", "-q"}), id.substr(0, 12)));
  EXPECT_EQ(ok({"network", "ls", "--format", "name", "--filter", "name=blue"}),
            "blue\n");
  auto shown = ok({"network", "inspect", id.substr(0, 7)});
  EXPECT_TRUE(has(shown, "10.4.0.254")) << shown;
  EXPECT_EQ(trimmed(ok({"network", "rm", "blue"})), "blue");
  ok({"network", "prune", "--force"});
  EXPECT_EQ(ok({"network", "ls", "-q"}), "");
}

TEST_F(CommandLine, EndpointsJoinAndLeave) {
  ok({"network", "create", "--subnet", "10.4.0.0/24", "net"});
  ok({"sandbox", "create", "--hostname", "h", "box"});
  ok({"endpoint", "create", "net", "e", "--ip", "10.4.0.7", "--mac",
      "02:42:0a:04:00:07"});
  ok({"join", "net/e", "box"});
  auto inside = ok({"sandbox", "exec", "box", "--", "ip", "-o", "addr"});
  EXPECT_TRUE(has(inside, "10.4.0.7/24")) << inside;
  auto link = ok({"sandbox", "exec", "box", "--", "ip", "-o", "link"});
  EXPECT_TRUE(has(link, "02:42:0a:04:00:07")) << link;
  auto route = ok({"sandbox", "exec", "box", "--", "ip", "route"});
  EXPECT_TRUE(has(route, "default via 10.4.0.1")) << route;
  ok({"leave", "net/e"});
  inside = ok({"sandbox", "exec", "box", "--", "ip", "-o", "addr"});
  EXPECT_FALSE(has(inside, "10.4.0.7")) << inside;
  EXPECT_TRUE(has(ok({"endpoint", "ls"}), "10.4.0.7"));
  ok({"endpoint", "rm", "net", "e"});
  EXPECT_EQ(ok({"endpoint", "ls", "-q"}), "");
}

TEST_F(CommandLine, SandboxesOnOneNetworkReachEachOther) {
  ok({"network", "create", "--ipv6", "--subnet", "10.4.0.0/24", "--subnet",
      "fd00:4::/64", "net"});
  ok({"sandbox", "create", "a"});
  ok({"sandbox", "create", "b"});
  ok({"attach", "net", "a"});
  ok({"attach", "net", "b", "--ip", "10.4.0.20", "--ip6", "fd00:4::20"});
  for (const auto* address : {"10.4.0.20", "fd00:4::20"})
    ok({"sandbox", "exec", "a", "--", "ping", "-n", "-c", "1", "-W", "2",
        address});
  ok({"detach", "net", "b"});
  EXPECT_EQ(daemon()
              .troupe({"sandbox", "exec", "a", "--", "ping", "-n", "-c", "1",
                       "-W", "1", "10.4.0.20"})
              .code,
            1);
}

TEST_F(CommandLine, NetworksAreIsolatedFromEachOther) {
  for (const auto* name : {"one", "two"}) {
    ok({"network", "create", name});
    ok({"sandbox", "create", name});
    ok({"attach", name, name});
  }
  auto ends = must("GET", "/v1/endpoints").at("endpoints");
  auto address = std::string{};
  for (const auto& x : ends)
    if (x.at("sandbox_name") == "two")
      address = without_length(x.at("spec").at("addresses").at(0));
  EXPECT_NE(address, "");
  EXPECT_EQ(daemon()
              .troupe({"sandbox", "exec", "one", "--", "ping", "-n", "-c", "1",
                       "-W", "1", address})
              .code,
            1);
}

TEST_F(CommandLine, ExecReturnsTheCommandsExitCode) {
  ok({"sandbox", "create", "box"});
  EXPECT_EQ(daemon()
              .troupe({"sandbox", "exec", "box", "--", "sh", "-c", "exit 42"})
              .code,
            42);
  EXPECT_EQ(daemon().troupe({"sandbox", "exec", "box", "--", "/nosuch"}).code,
            127);
}

TEST_F(CommandLine, SandboxesWithJoinsLeaveThemFirst) {
  ok({"network", "create", "net"});
  ok({"sandbox", "create", "box"});
  ok({"attach", "net", "box"});
  ok({"endpoint", "create", "net", "kept"});
  ok({"join", "net/kept", "box"});
  ok({"sandbox", "rm", "box"});
  EXPECT_EQ(ok({"endpoint", "ls", "--format", "name"}), "net/kept\n");
  EXPECT_EQ(ok({"sandbox", "ls", "-q"}), "");
}

TEST_F(CommandLine, AnAdoptedNamespaceSurvivesItsSandbox) {
  ok({"network", "create", "net"});
  auto holder = spawn({"unshare", "--net", "sleep", "60"}, "/dev/null");
  ASSERT_GT(holder, 0);
  auto path = "/proc/" + std::to_string(holder) + "/ns/net";
  // Until the child has its namespace, the path is the daemon's own.
  for (auto i = 0; i < 100; ++i) {
    if (daemon().troupe({"sandbox", "create", "--netns", path, "box"}).code
        == 0)
      break;
    usleep(20'000);
  }
  ok({"attach", "net", "box"});
  EXPECT_EQ(interfaces_inside(path).size(), 1U);
  ok({"sandbox", "rm", "box"});
  EXPECT_EQ(interfaces_inside(path).size(), 0U);
  kill(holder, SIGKILL);
  wait_for(holder, std::chrono::seconds{5});
}

TEST_F(CommandLine, StatusAndDoctorTellTheTruth) {
  ok({"network", "create", "net"});
  EXPECT_TRUE(has(ok({"status"}), "ready"));
  EXPECT_EQ(ok_json({"status"}).at("networks"), 1);
  ok({"doctor"});
}

TEST_F(CommandLine, HostIsTakenFromTheFlagToo) {
  auto ran = run({command_line_path(), "--host", daemon().uri(), "status"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  ran = run({command_line_path(), "--host", "tcp://1.2.3.4:80", "status"});
  EXPECT_NE(ran.code, 0);
  EXPECT_TRUE(has(ran.err, "unix://")) << ran.err;
}

TEST_F(CommandLine, EventsTellWhatHappens) {
  auto log = daemon().dir() + "/events";
  auto listener = spawn({command_line_path(), "--host", daemon().uri(),
                         "events", "--format", "json"},
                        log);
  ASSERT_GT(listener, 0);
  // A subscription has no other sign than that events come.
  auto seen = std::string{};
  for (auto i = 0; i < 100 && !has(seen, "ping"); ++i) {
    ok({"network", "create", "ping"});
    ok({"network", "rm", "ping"});
    seen = read_file(log);
  }
  EXPECT_TRUE(has(seen, "ping")) << seen;
  kill(listener, SIGTERM);
  EXPECT_GE(wait_for(listener, std::chrono::seconds{5}), 0);
  // The daemon notices at the next event that nobody listens any more.
  ok({"network", "create", "last"});
  ok({"network", "rm", "last"});
}

} // namespace troupe::test
