#include "troupe/config/model/json.hpp"
#include "troupe/tests/unit/tools/cli_fixture.hpp"

#include <gtest/gtest.h>

#include <thread>

#include <sys/wait.h>
#include <unistd.h>

namespace troupe::test {

namespace {

using words = std::vector<std::string>;

class CommandLine : public cli_fixture {
protected:
  /// The id that a command prints.
  std::string made(words command) {
    auto x = run(std::move(command));
    EXPECT_EQ(x.code, 0) << x.err;
    EXPECT_EQ(x.out.size(), 65U) << x.out;
    EXPECT_EQ(x.out.find_first_not_of("0123456789abcdef"), 64U) << x.out;
    return x.out.substr(0, 64);
  }

  static std::string brief(const std::string& id) {
    return id.substr(0, 12);
  }
};

TEST_F(CommandLine, PrintsTheIdOfWhatItCreates) {
  auto web = made({"network", "create", "web"});
  EXPECT_EQ(run({"network", "inspect", web, "--format", "name"}).out, "web\n");
}

TEST_F(CommandLine, ListsNetworks) {
  auto web = made({"network", "create", "web", "--subnet", "10.1.0.0/16"});
  auto idle = made({"network", "create", "-d", "null", "idle"});
  EXPECT_EQ(
    without_age(run({"network", "ls"}).out),
    "NETWORK ID     NAME   DRIVER   SUBNET        ENDPOINTS   STATE\n"
      + brief(idle) + "   idle   null     -             0           ready\n"
      + brief(web) + "   web    bridge   10.1.0.0/16   0           ready\n");
  EXPECT_EQ(run({"network", "list", "-q"}).out,
            brief(idle) + "\n" + brief(web) + "\n");
  EXPECT_EQ(run({"network", "ls", "-q", "--no-trunc"}).out,
            idle + "\n" + web + "\n");
  EXPECT_EQ(run({"network", "ls", "--format", "name"}).out, "idle\nweb\n");
  auto all = json::parse(run({"network", "ls", "--format", "json"}).out);
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[1]["spec"]["name"], "web");
}

TEST_F(CommandLine, ListsNothingAsHeadersOnly) {
  EXPECT_EQ(run({"sandbox", "ls"}).out,
            "SANDBOX ID   NAME   ENDPOINTS   NAMESPACE   STATE   AGE\n");
  EXPECT_EQ(run({"sandbox", "ls", "--format", "json"}).out, "[]\n");
  EXPECT_EQ(run({"endpoint", "ls", "-q"}).out, "");
}

TEST_F(CommandLine, FiltersLists) {
  auto web = made({"network", "create", "web", "--label", "tier=front"});
  (void)run({"network", "create", "-d", "null", "idle"});
  auto names = [this](words filters) {
    auto all = words{"network", "ls", "--format", "name"};
    for (auto& x : filters) {
      all.push_back("--filter");
      all.push_back(x);
    }
    return run(all).out;
  };
  EXPECT_EQ(names({"driver=null"}), "idle\n");
  EXPECT_EQ(names({"label=tier"}), "web\n");
  EXPECT_EQ(names({"label=tier=front"}), "web\n");
  EXPECT_EQ(names({"label=tier=back"}), "");
  EXPECT_EQ(names({"name=w", "name=i"}), "idle\nweb\n");
  EXPECT_EQ(names({"name=w", "driver=null"}), "");
  EXPECT_EQ(names({"id=" + brief(web)}), "web\n");
  auto wrong = run({"network", "ls", "--filter", "nam=x"});
  EXPECT_EQ(wrong.code, 2);
  EXPECT_EQ(wrong.err, "Error: --filter \"nam=x\": unknown key\n"
                       "Hint: did you mean \"name\"?\n");
}

TEST_F(CommandLine, InspectsSeveralAndGoesOnAfterAnError) {
  auto web = made({"network", "create", "web"});
  auto x = run({"network", "inspect", "none", brief(web)});
  EXPECT_EQ(x.code, 3);
  EXPECT_EQ(json::parse(x.out).at(0)["spec"]["name"], "web");
  EXPECT_EQ(x.err, "Error: find network \"none\": no such network\n"
                   "Hint: list them with: troupe network ls\n");
  EXPECT_EQ(run({"network", "inspect", "none"}).out, "[]\n");
}

TEST_F(CommandLine, RemovesSeveralAndGoesOnAfterAnError) {
  (void)run({"network", "create", "a"});
  (void)run({"network", "create", "b"});
  auto x = run({"network", "rm", "a", "none", "b"});
  EXPECT_EQ(x.out, "a\nb\n");
  EXPECT_EQ(x.code, 3);
}

TEST_F(CommandLine, UsesTheExitCodeOfTheFirstError) {
  (void)run({"network", "create", "a"});
  EXPECT_EQ(run({"network", "create", "a"}).code, 4);
  EXPECT_EQ(run({"network", "inspect", "none"}).code, 3);
  (void)run({"endpoint", "create", "a", "e"});
  EXPECT_EQ(run({"network", "rm", "a", "none"}).code, 1);
  EXPECT_EQ(run({"network"}).code, 2);
  EXPECT_EQ(run({"network", "create"}).code, 2);
  EXPECT_EQ(run({"netwrk", "ls"}).code, 2);
  EXPECT_EQ(run({"network", "ls", "--format", "yaml"}).code, 2);
  EXPECT_EQ(run({"network", "ls", "--nonsense"}).code, 2);
  EXPECT_EQ(run({"--host", "tcp://x", "network", "ls"}).code, 1);
}

TEST_F(CommandLine, ExitsWith5WithoutADaemon) {
  stop();
  auto x = run({"network", "ls"});
  EXPECT_EQ(x.code, 5);
  EXPECT_EQ(x.out, "");
  EXPECT_TRUE(x.err.starts_with("Error: cannot reach the daemon at " + uri()))
    << x.err;
  EXPECT_NE(x.err.find("\nHint: is trouped running?"), std::string::npos);
}

TEST_F(CommandLine, ExitsWith124AtTheDeadline) {
  backend_->hold = true;
  EXPECT_EQ(run({"--timeout", "0.2", "status"}).code, 124);
  EXPECT_EQ(run({"status", "--timeout", "0.2"}).code, 124);
  EXPECT_EQ(run({"status", "--timeout", "0"}).code, 2);
}

TEST_F(CommandLine, TakesTheHostFromItsOption) {
  auto x = run_command("unix:///nonexistent", {"status", "--host", uri()});
  EXPECT_EQ(x.code, 0) << x.err;
}

TEST_F(CommandLine, ManagesEndpoints) {
  (void)run({"network", "create", "web", "--subnet", "10.1.0.0/16"});
  auto c1 = made({"endpoint", "create", "web", "c1", "--ip", "10.1.0.9",
                  "--mac", "02:42:0A:01:00:09"});
  (void)run({"sandbox", "create", "box"});
  EXPECT_EQ(run({"join", "web/c1", "box"}).out, c1 + "\n");
  EXPECT_EQ(
    without_age(run({"endpoint", "ls", "web"}).out),
    "ENDPOINT ID    NETWORK   NAME   SANDBOX   INTERFACE   ADDRESS       "
    "PORTS   STATE\n"
      + brief(c1)
      + "   web       c1     box       eth0        10.1.0.9/16   "
        "-       joined\n");
  EXPECT_EQ(run({"endpoint", "ls", "--format", "name"}).out, "web/c1\n");
  EXPECT_EQ(run({"endpoint", "rm", "web", "c1"}).code, 1);
  EXPECT_EQ(run({"leave", "web/c1"}).out, "web/c1\n");
  EXPECT_EQ(run({"leave", "web/c1"}).code, 1);
  EXPECT_EQ(run({"endpoint", "inspect", "web", "c1", "--format", "name"}).out,
            "web/c1\n");
  EXPECT_EQ(run({"endpoint", "inspect", brief(c1), "--format", "name"}).out,
            "web/c1\n");
  EXPECT_EQ(run({"endpoint", "rm", "web/c1"}).out, "c1\n");
}

TEST_F(CommandLine, AttachesAndDetaches) {
  (void)run({"network", "create", "web"});
  (void)run({"sandbox", "create", "box", "--hostname", "h"});
  (void)made({"attach", "web", "box"});
  EXPECT_EQ(run({"attach", "web", "box"}).code, 4);
  EXPECT_EQ(
    run({"attach", "web", "box", "--name", "two", "--format", "name"}).out,
    "web/two\n");
  EXPECT_EQ(run({"detach", "web", "box"}).out, "box\n");
  EXPECT_EQ(run({"sandbox", "rm", "box"}).out, "box\n");
  EXPECT_EQ(run({"endpoint", "ls", "-q"}).out, "");
}

TEST_F(CommandLine, PrunesUnusedNetworks) {
  for (const auto* name : {"a", "b", "used"})
    (void)run({"network", "create", name});
  (void)run({"endpoint", "create", "used", "e"});
  EXPECT_EQ(run_command(uri(), {"network", "prune"}, "n\n", true).code, 0);
  EXPECT_EQ(run({"network", "ls", "--format", "name"}).out, "a\nb\nused\n");
  EXPECT_EQ(run_command(uri(), {"network", "prune"}, "y\n", false).code, 2);
  EXPECT_EQ(run({"network", "prune", "-f", "--filter", "name=a"}).out, "a\n");
  auto asked = run_command(uri(), {"network", "prune"}, "y\n", true);
  EXPECT_TRUE(asked.out.ends_with("[y/N] b\n")) << asked.out;
  EXPECT_EQ(run_command(uri(), {"network", "prune", "-f"}, "", true).out, "");
}

TEST_F(CommandLine, ShowsTheStatus) {
  backend_->override_reply
    = [](const request& x) -> std::optional<result<reply>> {
    if (!std::holds_alternative<get_status>(x))
      return std::nullopt;
    auto status = daemon_status{};
    status.version = "0.1.0";
    status.state_dir = "/var/lib/troupe";
    status.run_dir = "/run/troupe";
    status.generation = 3;
    status.drivers = {"bridge", "host", "null"};
    status.startup = {{"loaded", 1'250, "2 networks"}, {"ready", 90, ""}};
    status.warnings = {"nothing serious"};
    return result<reply>{reply{status}};
  };
  EXPECT_EQ(run({"status"}).out,
            "Troupe 0.1.0, start 3 on this state\n"
            "State:     /var/lib/troupe\n"
            "Run:       /run/troupe\n"
            "Drivers:   bridge, host, null\n"
            "Objects:   0 networks, 0 endpoints, 0 sandboxes\n"
            "\n"
            "START-UP   TIME      DETAIL\n"
            "loaded     1.25 ms   2 networks\n"
            "ready      0.09 ms   -\n"
            "\n"
            "Warning: nothing serious\n");
  auto status = json::parse(run({"status", "--format", "json"}).out);
  EXPECT_EQ(status["generation"], 3);
}

TEST_F(CommandLine, ShowsTheTopology) {
  (void)run({"network", "create", "web", "--subnet", "10.1.0.0/16"});
  (void)run({"network", "create", "idle"});
  (void)run({"sandbox", "create", "box"});
  (void)run({"attach", "web", "box"});
  EXPECT_EQ(
    run({"status", "--topology"}).out,
    "NETWORK   DRIVER   SUBNET          SANDBOX   INTERFACE   ADDRESS       "
    "MAC\n"
    "idle      bridge   172.17.0.0/16   -         -           -             -\n"
    "web       bridge   10.1.0.0/16     box       eth0        10.1.0.2/16   "
    "02:42:0a:01:00:02\n");
}

TEST_F(CommandLine, DiagnosesAndRepairs) {
  auto healthy = run({"doctor"});
  EXPECT_EQ(healthy.code, 0);
  EXPECT_EQ(healthy.out, "Store, actors and kernel agree.\n");
  backend_->override_reply
    = [](const request& x) -> std::optional<result<reply>> {
    auto report = doctor_report{};
    report.findings.push_back({"network sick", "bridge is missing", "make it",
                               std::get<run_doctor>(x).repair});
    return result<reply>{reply{report}};
  };
  auto sick = run({"doctor"});
  EXPECT_EQ(sick.code, 1);
  EXPECT_EQ(sick.out, "OBJECT         PROBLEM             REPAIR    REPAIRED\n"
                      "network sick   bridge is missing   make it   no\n");
  EXPECT_NE(sick.err.find("--repair"), std::string::npos);
  auto mended = run({"doctor", "--repair"});
  EXPECT_EQ(mended.code, 0);
  EXPECT_NE(mended.out.find("yes"), std::string::npos);
}

TEST_F(CommandLine, PrintsEvents) {
  auto x = cli_run{};
  auto reader = std::thread{[&] {
    x = run({"events", "--count", "2", "--format", "json"});
  }};
  auto open = eventually([this] {
    return client().ask("GET", "/metrics").body.find("troupe_event_streams 1")
           != std::string::npos;
  });
  backend_->publish("network", "create", "web");
  backend_->publish("network", "remove", "web");
  reader.join();
  ASSERT_TRUE(open);
  auto end = x.out.find('\n');
  EXPECT_EQ(json::parse(x.out.substr(0, end))["action"], "create");
  EXPECT_EQ(json::parse(x.out.substr(end))["action"], "remove");
}

TEST_F(CommandLine, PrintsEventsOfThePast) {
  backend_->publish("network", "create", "web");
  backend_->publish("network", "remove", "web");
  backend_->publish("sandbox", "create", "box");
  auto shown = [this](words more) {
    more.insert(more.begin(), {"events", "--since", "2023-11-14", "--format",
                               "{{.Type}} {{.Action}} {{.Name}}"});
    return run(more);
  };
  EXPECT_EQ(shown({"-n", "3"}).out,
            "network create web\nnetwork remove web\nsandbox create box\n");
  EXPECT_EQ(shown({"-n", "1", "-f", "type=sandbox"}).out,
            "sandbox create box\n");
  EXPECT_EQ(shown({"-n", "1", "-f", "event=remove"}).out,
            "network remove web\n");
  EXPECT_EQ(shown({"-n", "2", "-f", "action=create", "-f", "name=b"}).out,
            "network create web\nsandbox create box\n");
  // They are of 2023.
  EXPECT_EQ(shown({"--since", "1h", "--until", "0s"}).code, 2); // Twice.
  EXPECT_EQ(run({"events", "--since", "1h", "--until", "0s"}).out, "");
}

TEST_F(CommandLine, EventsEndWhereTheyAreToldTo) {
  auto x = run({"events", "--until", "0s"});
  EXPECT_EQ(x.code, 0);
  EXPECT_EQ(x.out, "");
  x = run({"events", "--since", "2001-01-01", "--until", "2001-01-02"});
  EXPECT_EQ(x.code, 0);
  EXPECT_EQ(x.out, "");
}

TEST_F(CommandLine, EventsRefuseWhatMeansNothing) {
  for (const auto& [option, value, says] :
       std::vector<std::array<std::string, 3>>{
         {"--since", "soon", "--since"},
         {"--until", "soon", "--until"},
         {"--filter", "typ=network", "did you mean \"type\"?"},
         {"--filter", "type=netwrk", "did you mean \"network\"?"}}) {
    auto x = run({"events", option, value});
    EXPECT_EQ(x.code, 2) << value;
    EXPECT_NE(x.err.find(says), std::string::npos) << x.err;
  }
}

TEST_F(CommandLine, RefusesToRunNothing) {
  EXPECT_EQ(run({"sandbox", "exec", "box"}).code, 2);
  EXPECT_EQ(run({"sandbox", "exec", "none", "--", "true"}).code, 3);
}

// A namespace of the test's own stands for the sandbox's.
TEST_F(CommandLine, RunsACommandInsideANamespace) {
  if (::geteuid() != 0)
    GTEST_SKIP() << "needs root to enter a namespace";
  backend_->override_reply = [](const request&) {
    auto status = sandbox_status{};
    status.spec.name = "box";
    status.key = "/proc/self/ns/net";
    return result<reply>{reply{status}};
  };
  auto exit_code = [this](words command) {
    auto child = ::fork();
    if (child == 0) {
      // Only this thread is left: the server's stayed in the parent.
      auto name = words{"sandbox", "exec", "box"};
      name.insert(name.end(), command.begin(), command.end());
      ::_exit(run(name).code);
    }
    auto status = 0;
    EXPECT_EQ(child, ::waitpid(child, &status, 0));
    return WEXITSTATUS(status);
  };
  EXPECT_EQ(exit_code({"--", "sh", "-c", "exit 7"}), 7);
  EXPECT_EQ(exit_code({"sh", "-c", "exit 8", "--help"}), 8);
  EXPECT_EQ(exit_code({"--", "sh", "-c", "test -e /sys/class/net/lo"}), 0);
  EXPECT_EQ(exit_code({"--", "/nonexistent/command"}), 127);
  EXPECT_EQ(exit_code({"--", "/etc/passwd"}), 126);
}

TEST_F(CommandLine, ReportsANamespaceThatIsNotThere) {
  (void)run({"sandbox", "create", "box"});
  auto x = run({"sandbox", "exec", "box", "--", "ls", "-l"});
  EXPECT_EQ(x.code, 1);
  EXPECT_TRUE(x.err.starts_with("Error: enter namespace /run/troupe/netns/"))
    << x.err;
}

TEST_F(CommandLine, ShowsHelpAndVersion) {
  EXPECT_EQ(run({"--version"}).out, "troupe 0.1.0\n");
  auto help = run({"network", "create", "--help"});
  EXPECT_EQ(help.code, 0);
  for (const auto* option :
       {"--subnet", "--gateway", "--ip-range", "--aux-address", "--ipv6",
        "--internal", "--label", "--opt"})
    EXPECT_NE(help.out.find(option), std::string::npos) << option;
}

TEST_F(CommandLine, SendsNothingThatIsWrong) {
  auto asked = 0;
  backend_->override_reply = [&asked](const request&) {
    ++asked;
    return result<reply>{reply{done{}}};
  };
  for (const auto& x : std::vector<words>{
         {"network", "create", "a/b"},
         {"network", "create", "web", "--subnet", "10.0.0.1/16"},
         {"network", "create", "web", "--subnet", "10.0.0.0"},
         {"endpoint", "create", "web", "e", "--mac", "01:00:00:00:00:01"},
         {"endpoint", "create", "web", "e", "--ip", "fd00::1"},
         {"attach", "web", "box", "--ip6", "10.0.0.1"},
         {"sandbox", "create", "box", "--netns", "relative"},
         {"sandbox", "create", "box", "--netns", "/x", "--host-network"}}) {
    auto got = run(x);
    EXPECT_EQ(got.code, 2) << x.back() << got.err;
    EXPECT_TRUE(got.err.starts_with("Error: ")) << got.err;
  }
  EXPECT_EQ(asked, 0);
}

} // namespace

} // namespace troupe::test
