// Words of the command line: misspelt ones, those of other programs, help.

#include "troupe/config/model/json.hpp"
#include "troupe/tests/unit/tools/cli_fixture.hpp"
#include "troupe/tools/troupe/filter.hpp"
#include "troupe/tools/troupe/network_spec.hpp"
#include "troupe/tools/troupe/time_words.hpp"

#include <gtest/gtest.h>

#include <sstream>

namespace troupe::test {

namespace {

using words = std::vector<std::string>;

class CommandWords : public cli_fixture {
protected:
  std::string names(const std::string& noun, words more) {
    more.insert(more.begin(), {noun, "ls", "--format", "name"});
    return run(more).out;
  }
};

struct wrong_words {
  words command;
  std::string error; ///< The first line, without `Error: troupe`.
  std::string hint;
};

TEST_F(CommandWords, TheWrongOneIsBlamedAndTheNearestNamed) {
  const auto see = [](const std::string& command) {
    return "see troupe" + command + " --help";
  };
  for (const auto& x : std::vector<wrong_words>{
         {{"netwrk", "ls"},
          ": unknown command \"netwrk\"",
          "did you mean \"network\"?"},
         {{"network", "craete", "web"},
          " network: unknown command \"craete\"",
          "did you mean \"create\"?"},
         {{"network", "create", "--subnt", "10.1.0.0/16", "web"},
          " network create: unknown option \"--subnt\"",
          "did you mean \"--subnet\"?"},
         {{"network", "create", "web", "--subnt=10.1.0.0/16"},
          " network create: unknown option \"--subnt=10.1.0.0/16\"",
          "did you mean \"--subnet\"?"},
         {{"--hots", "unix:///x", "network", "ls"},
          ": unknown option \"--hots\"",
          "did you mean \"--host\"?"},
         {{"network", "ls", "--timout", "3"},
          " network ls: unknown option \"--timout\"",
          "did you mean \"--timeout\"?"},
         {{"network", "ls", "-Z"},
          " network ls: unknown option \"-Z\"",
          see(" network ls")},
         {{"network", "ls", "web"},
          " network ls: unexpected word \"web\"",
          see(" network ls")},
         {{"detach", "web", "box", "more"},
          " detach: unexpected word \"more\"",
          see(" detach")},
         {{"container", "ls"},
          ": unknown command \"container\"",
          "did you mean \"troupe sandbox\"?"},
         {{"prune"},
          ": unknown command \"prune\"",
          "did you mean \"troupe network prune\"?"},
         {{"exec", "box", "true"},
          ": unknown command \"exec\"",
          "did you mean \"troupe sandbox exec\"?"},
         {{"xyzzyxyzzy"}, ": unknown command \"xyzzyxyzzy\"", see("")},
         {{"help", "network", "crate"},
          " network: unknown command \"crate\"",
          "did you mean \"create\"?"},
         {{"network", "crate", "--help"},
          " network: unknown command \"crate\"",
          "did you mean \"create\"?"},
         {{"network"},
          " network: which command? There is none",
          see(" network")},
         {{"network", "create"},
          " network create: name is required",
          see(" network create")}}) {
    auto got = run(x.command);
    EXPECT_EQ(got.code, 2) << x.error;
    EXPECT_EQ(got.out, "") << x.error;
    EXPECT_EQ(got.err, "Error: troupe" + x.error + "\nHint: " + x.hint + "\n");
  }
}

TEST_F(CommandWords, OnlyUsIsAskedInsideASandbox) {
  EXPECT_EQ(run({"sandbox", "exec", "none", "--", "ls", "--subnt"}).code, 3);
}

TEST_F(CommandWords, HelpIsACommandToo) {
  EXPECT_EQ(run({"help"}).out, run({"--help"}).out);
  EXPECT_EQ(run({"help", "network"}).out, run({"network", "--help"}).out);
  auto create = run({"help", "network", "create"});
  EXPECT_EQ(create.code, 0);
  EXPECT_NE(create.out.find("Usage: troupe network create"), std::string::npos)
    << create.out;
  EXPECT_EQ(run({"--timeout", "3", "help", "status"}).code, 0);
}

TEST_F(CommandWords, HelpHasExamplesThatCanBeTyped) {
  for (const auto& command : std::vector<words>{{"network", "create"},
                                                {"network", "ls"},
                                                {"network", "prune"},
                                                {"endpoint", "create"},
                                                {"endpoint", "ls"},
                                                {"sandbox", "create"},
                                                {"attach"},
                                                {"publish"},
                                                {"unpublish"},
                                                {"events"}}) {
    auto ask = words{"help"};
    ask.insert(ask.end(), command.begin(), command.end());
    auto help = run(ask).out;
    auto begin = help.find("\nExamples:\n  troupe ");
    ASSERT_NE(begin, help.npos) << help;
    EXPECT_NE(help.find("Exit codes:", begin), help.npos);
    auto lines = std::istringstream{help.substr(begin + 11)};
    for (auto line = std::string{};
         std::getline(lines, line) && line.starts_with("  troupe ");) {
      if (line.find('\'') != line.npos || line.find("events") != line.npos)
        continue; // Has quotes, or no end.
      auto parts = std::istringstream{line.substr(9)};
      auto typed = words{};
      for (auto word = std::string{}; parts >> word;)
        typed.push_back(word);
      EXPECT_NE(run(typed).code, 2) << line;
    }
  }
}

TEST_F(CommandWords, VersionNamesBothSides) {
  auto x = run({"version"});
  EXPECT_EQ(x.code, 0) << x.err;
  EXPECT_TRUE(x.out.starts_with("Client:  0.1.0\nDaemon:  ")) << x.out;
  EXPECT_TRUE(x.out.ends_with(" at " + uri() + "\n")) << x.out;
  auto both = json::parse(run({"version", "--format", "json"}).out);
  EXPECT_EQ(both["client"]["version"], "0.1.0");
  EXPECT_EQ(both["daemon"]["host"], uri());
  stop();
  x = run({"version"});
  EXPECT_EQ(x.code, 0);
  EXPECT_EQ(x.out, "Client:  0.1.0\nDaemon:  no answer from " + uri() + "\n");
  EXPECT_TRUE(x.err.starts_with("Note: cannot reach the daemon")) << x.err;
  both = json::parse(run({"version", "--format", "json"}).out);
  EXPECT_TRUE(both["daemon"].is_null());
}

TEST_F(CommandWords, ConnectIsAttach) {
  (void)run({"network", "create", "web", "--subnet", "10.1.0.0/24"});
  (void)run({"sandbox", "create", "box"});
  EXPECT_EQ(run({"network", "connect", "web", "box", "--ip", "10.1.0.9",
                 "--format", "name"})
              .out,
            "web/box\n");
  EXPECT_EQ(run({"network", "disconnect", "web", "box"}).out, "box\n");
  EXPECT_EQ(run({"network", "disconnect", "web", "box"}).code, 3);
}

TEST_F(CommandWords, ExistsAnswersByItsExitCodeOnly) {
  (void)run({"network", "create", "web"});
  (void)run({"endpoint", "create", "web", "c1"});
  (void)run({"sandbox", "create", "box"});
  for (const auto& [noun, name] :
       std::vector<std::pair<std::string, std::string>>{
         {"network", "web"}, {"endpoint", "web/c1"}, {"sandbox", "box"}}) {
    auto there = run({noun, "exists", name});
    EXPECT_EQ(there.code, 0) << noun;
    EXPECT_EQ(there.out + there.err, "") << noun;
    auto gone = run({noun, "exists", name + "x"});
    EXPECT_EQ(gone.code, 1) << noun;
    EXPECT_EQ(gone.out + gone.err, "") << noun;
  }
  EXPECT_EQ(run({"endpoint", "exists", "nope/c1"}).code, 1);
  stop();
  auto unknown = run({"network", "exists", "web"});
  EXPECT_EQ(unknown.code, 5);
  EXPECT_NE(unknown.err, "");
}

TEST_F(CommandWords, ANetworkIsRemovedByForceWithItsEndpoints) {
  for (const auto* name : {"web", "db"})
    (void)run({"network", "create", name});
  (void)run({"sandbox", "create", "box"});
  (void)run({"attach", "web", "box"});
  (void)run({"endpoint", "create", "web", "idle"});
  (void)run({"attach", "db", "box"});
  EXPECT_EQ(run({"network", "rm", "web"}).code, 1);
  auto x = run({"network", "rm", "-f", "web", "none"});
  EXPECT_EQ(x.code, 0);
  EXPECT_EQ(x.out, "web/box\nweb/idle\nweb\n");
  EXPECT_EQ(x.err, "Note: find network \"none\": no such network\n");
  EXPECT_EQ(names("network", {}), "db\n");
  EXPECT_EQ(names("endpoint", {}), "db/box\n");
  EXPECT_EQ(run({"network", "rm", "none"}).code, 3);
}

TEST_F(CommandWords, WhatIsNotThereIsNoErrorByForce) {
  (void)run({"sandbox", "create", "box"});
  auto x = run({"sandbox", "rm", "-f", "none", "box"});
  EXPECT_EQ(x.code, 0);
  EXPECT_EQ(x.out, "box\n");
  EXPECT_TRUE(x.err.starts_with("Note: ")) << x.err;
  EXPECT_EQ(run({"endpoint", "rm", "-f", "none/x"}).code, 0);
  EXPECT_EQ(run({"endpoint", "rm", "none/x"}).code, 3);
}

TEST_F(CommandWords, FiltersAreThoseOfDocker) {
  (void)run({"network", "create", "web", "--label", "tier=front"});
  (void)run({"network", "create", "db"});
  (void)run({"network", "create", "-d", "null", "used"});
  (void)run({"endpoint", "create", "db", "e"});
  auto with = [this](words filters) {
    return names("network", std::move(filters));
  };
  EXPECT_EQ(with({"-f", "driver=null"}), "used\n");
  EXPECT_EQ(with({"-f", "label!=tier"}), "db\nused\n");
  EXPECT_EQ(with({"-f", "label!=tier=front", "-f", "driver=bridge"}), "db\n");
  EXPECT_EQ(with({"-f", "label!=tier=back"}), "db\nused\nweb\n");
  EXPECT_EQ(with({"-f", "dangling=true"}), "used\nweb\n");
  EXPECT_EQ(with({"-f", "dangling=0"}), "db\n");
  EXPECT_EQ(with({"-f", "scope=local", "-f", "type=custom", "-f", "name=w"}),
            "web\n");
  EXPECT_EQ(with({"-f", "scope=swarm"}), "");
  EXPECT_EQ(with({"-f", "type=builtin"}), "");
  EXPECT_EQ(with({"-f", "until=24h"}), "");
  EXPECT_EQ(with({"-f", "until=2001-01-01"}), "");
}

TEST_F(CommandWords, FiltersThatMeanNothingAreRefused) {
  for (const auto& [text, error, hint] :
       std::vector<std::array<std::string, 3>>{
         {"lable=x", "unknown key", "did you mean \"label\"?"},
         {"driver=brigde", "unknown driver", "did you mean \"bridge\"?"},
         {"dangling=ture", "unknown dangling", "did you mean \"true\"?"},
         {"scope=locale", "unknown scope", "did you mean \"local\"?"},
         {"type=costum", "unknown type", "did you mean \"custom\"?"}}) {
    auto x = run({"network", "ls", "-f", text});
    EXPECT_EQ(x.code, 2) << text;
    EXPECT_EQ(x.err, "Error: --filter \"" + text + "\": " + error
                       + "\nHint: " + hint + "\n");
  }
  EXPECT_EQ(run({"network", "prune", "-f", "--filter", "until=soon"}).code, 2);
  EXPECT_EQ(run({"sandbox", "ls", "-f", "dangling=true"}).code, 2);
  EXPECT_EQ(names("network", {"-f", "driver=macvlan"}), "");
}

std::string port(const std::string& text) {
  auto x = tools::make_port_specs({text});
  return x ? to_string(x->front()) : x.error().message;
}

TEST(PortWords, AreThoseOfDocker) {
  EXPECT_EQ(port("80/TCP"), "80/tcp");
  EXPECT_EQ(port("8053:53/Udp"), "8053:53/udp");
  EXPECT_EQ(port("0:80"), "80/tcp");
  EXPECT_EQ(port("127.0.0.1:0:80"), "127.0.0.1:80/tcp");
  EXPECT_EQ(port("[::1]:0:80/SCTP"), "[::1]:80/sctp");
  EXPECT_EQ(port("[fd00:0:0:0:0:0:0:1]:8080:80"), "[fd00::1]:8080:80/tcp");
  EXPECT_EQ(port("0.0.0.0:8080:80"), "0.0.0.0:8080:80/tcp");
  EXPECT_NE(port("0:0").find("container port"), std::string::npos);
  EXPECT_NE(port("80/xtp").find("unknown protocol"), std::string::npos);
  auto flags = tools::endpoint_flags{};
  flags.expose = {"53/UDP"};
  EXPECT_EQ(to_string(tools::make_endpoint_spec(flags)->exposed.front()),
            "53/udp");
}

TEST(TimeWords, AreAgesDatesAndUnixSeconds) {
  constexpr int64_t now = 1'767'225'600'000; // 2026-01-01T00:00:00Z
  auto moment = [](std::string_view text) {
    return tools::parse_moment(text, now).value_or(-1);
  };
  EXPECT_EQ(moment("90s"), now - 90'000);
  EXPECT_EQ(moment("1h30m"), now - 5'400'000);
  EXPECT_EQ(moment("2d"), now - 172'800'000);
  EXPECT_EQ(moment("1767225600"), now);
  EXPECT_EQ(moment("1767225600.5"), now + 500);
  EXPECT_EQ(moment("2026-01-01"), now);
  EXPECT_EQ(moment("2026-01-01T00:00:00Z"), now);
  EXPECT_EQ(moment("2026-01-01T01:00:00.250+01:00"), now + 250);
  for (const auto* wrong : {"", "h", "1x", "-5m", "2026-13-01", "tomorrow",
                            "2026-01-01T00:00:00+1", "1e400", "nan"})
    EXPECT_FALSE(tools::parse_moment(wrong, now)) << wrong;
  EXPECT_EQ(tools::age_text(now - 500, now), "0s");
  EXPECT_EQ(tools::age_text(now - 119'000, now), "119s");
  EXPECT_EQ(tools::age_text(now - 120'000, now), "2m");
  EXPECT_EQ(tools::age_text(now - 3 * 3'600'000, now), "3h");
  EXPECT_EQ(tools::age_text(now - 50 * 3'600'000, now), "2d");
  EXPECT_EQ(tools::age_text(now + 5'000, now), "0s"); // Another clock's.
  EXPECT_EQ(tools::age_text(0, now), "");
}

} // namespace

} // namespace troupe::test
