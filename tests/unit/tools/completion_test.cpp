// What `troupe __complete` answers, and that it knows the whole tree.

#include "troupe/tests/unit/tools/cli_fixture.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

namespace troupe::test {

namespace {

using words = std::vector<std::string>;

class Completion : public cli_fixture {
protected:
  words lines(words command) {
    command.insert(command.begin(), "__complete");
    auto x = run(std::move(command));
    EXPECT_EQ(x.code, 0);
    EXPECT_EQ(x.err, "");
    auto result = words{};
    auto in = std::istringstream{x.out};
    for (auto line = std::string{}; std::getline(in, line);)
      result.push_back(line.substr(0, line.find('\t')));
    return result;
  }

  std::string offered(words command) {
    auto result = std::string{};
    for (const auto& x : lines(std::move(command)))
      result += (result.empty() ? "" : " ") + x;
    return result;
  }

  // The commands that a page of help lists.
  words commands_in_help(words command) {
    command.emplace_back("--help");
    auto result = words{};
    auto in = std::istringstream{run(command).out};
    auto inside = false;
    for (auto line = std::string{}; std::getline(in, line);) {
      if (line.empty())
        inside = false;
      else if (line == "Subcommands:")
        inside = true;
      else if (inside && line.size() > 2 && line[2] != ' ')
        result.push_back(line.substr(2, line.find_first_of(" ,", 2) - 2));
    }
    return result;
  }

  static bool has(const words& xs, const std::string& x) {
    return std::ranges::find(xs, x) != xs.end();
  }

  // Does its help say that the option has a value?
  static bool has_value(const std::string& help, const std::string& option) {
    auto in = std::istringstream{help};
    for (auto line = std::string{}; std::getline(in, line);) {
      auto at = line.find(option);
      if (!line.starts_with("  -") || at == line.npos)
        continue;
      auto next = line[std::min(at + option.size(), line.size() - 1)];
      if (next == '-' || (next >= 'a' && next <= 'z'))
        continue;
      auto rest = line.substr(line.find_first_of(" ", 2) + 1);
      return !rest.empty() && rest.front() != ' ';
    }
    return false;
  }

  void check_below(const words& command, int& seen) {
    auto ask = command;
    ask.emplace_back("");
    auto next = lines(ask);
    for (const auto& x : commands_in_help(command)) {
      EXPECT_TRUE(has(next, x)) << x;
      auto below = command;
      below.push_back(x);
      check_below(below, seen);
    }
    EXPECT_FALSE(has(next, ":unknown"))
      << command.back() << ": a positional has no row";
    const auto help = [&] {
      auto all = command;
      all.emplace_back("--help");
      return run(all).out;
    }();
    ask.back() = "--";
    for (const auto& option : lines(ask)) {
      ++seen;
      if (!has_value(help, option))
        continue;
      auto value = command;
      value.insert(value.end(), {option, ""});
      EXPECT_FALSE(has(lines(value), ":unknown"))
        << option << " has no row in the table of values";
    }
  }
};

TEST_F(Completion, KnowsTheWholeTree) {
  auto seen = 0;
  check_below({}, seen);
  EXPECT_GT(seen, 200); // It looked.
}

TEST_F(Completion, OffersObjectsInNaturalOrder) {
  for (const auto* name : {"web-10", "web-2", "db"})
    (void)run({"network", "create", name});
  (void)run({"endpoint", "create", "db", "e"});
  (void)run({"sandbox", "create", "box"});
  EXPECT_EQ(offered({"network", "rm", ""}), "db web-2 web-10");
  EXPECT_EQ(offered({"network", "rm", "db", "w"}), "web-2 web-10");
  EXPECT_EQ(offered({"network", "connect", ""}), "db web-2 web-10");
  EXPECT_EQ(offered({"network", "connect", "db", ""}), "box");
  EXPECT_EQ(offered({"attach", "db", "box", ""}), "");
  EXPECT_EQ(offered({"endpoint", "inspect", ""}), "db/e");
  EXPECT_EQ(offered({"join", "db/e", "b"}), "box");
  EXPECT_EQ(offered({"sandbox", "exec", ""}), "box");
  EXPECT_EQ(offered({"network", "create", ""}), "");
  EXPECT_EQ(offered({"endpoint", "ls", "-f", "network="}),
            "network=db network=web-2 network=web-10");
}

TEST_F(Completion, WorksBehindGlobalOptions) {
  (void)run({"network", "create", "web"});
  for (const auto& global :
       {words{"--timeout", "5"}, words{"--timeout=5"}, words{"--host", uri()},
        words{"--host=" + uri()}, words{"--tls-ca", "x"}}) {
    auto command = global;
    command.insert(command.end(), {"network", "inspect", "w"});
    EXPECT_EQ(offered(command), "web") << global.front();
  }
  EXPECT_EQ(offered({"--host", "unix:///nowhere", "network", "rm", ""}), "");
}

TEST_F(Completion, OffersValues) {
  EXPECT_EQ(offered({"network", "ls", "--format", "j"}), "json jsonl");
  EXPECT_EQ(offered({"network", "ls", "--format=t"}), "--format=table");
  EXPECT_EQ(offered({"network", "create", "-d", ""}), "bridge host null");
  EXPECT_EQ(offered({"network", "create", "-o", "mt"}), "mtu= :nospace");
  EXPECT_EQ(offered({"attach", "n", "s", "-o", "if"}), "ifname= :nospace");
  EXPECT_EQ(offered({"network", "ls", "-f", "la"}), "label= label!= :nospace");
  EXPECT_EQ(offered({"network", "ls", "-f", "driver=b"}), "driver=bridge");
  EXPECT_EQ(offered({"network", "ls", "-f", "dangling=t"}), "dangling=true");
  EXPECT_EQ(offered({"sandbox", "ls", "-f", "d"}), ":nospace");
  EXPECT_EQ(offered({"events", "--filter", "type=en"}), "type=endpoint");
  EXPECT_EQ(offered({"completion", ""}), "bash zsh fish");
  EXPECT_EQ(offered({"check", "--state-dir", ""}), ":files");
  EXPECT_EQ(offered({"help", "network", "cr"}), "create");
  EXPECT_EQ(offered({"help", "ne"}), "network");
  EXPECT_EQ(offered({"network", "create", "--gat"}), "--gateway");
  EXPECT_EQ(offered({"network", "create", "--tim"}), "--timeout");
}

TEST_F(Completion, LeavesTheRestToOthers) {
  EXPECT_EQ(offered({"sandbox", "exec", "box", "--", "deploy", "-"}), ":files");
  EXPECT_EQ(offered({"sandbox", "exec", "box", ""}), ":files");
  EXPECT_EQ(offered({"deploy", ""}), "");
  EXPECT_EQ(offered({}), "");
  stop();
  EXPECT_EQ(offered({"network", "rm", ""}), "");
}

// The driver says what it knows when an option is unlike all.
TEST_F(Completion, OffersTheOptionsThatTheDriverHas) {
  (void)run({"network", "create", "web"});
  (void)run({"sandbox", "create", "box"});
  for (const auto& command :
       {words{"network", "create"}, words{"attach", "web", "box"}}) {
    auto wrong = command;
    wrong.insert(wrong.end(), {"-o", "qqqqqqqqqqqqqqqqqqqqqqqq=1"});
    if (command.front() == "network")
      wrong.emplace_back("n");
    const auto refused = run(wrong).err;
    auto known = refused.find("Hint: known: ");
    ASSERT_NE(known, refused.npos) << refused;
    auto names = refused.substr(known + sizeof "Hint: known: " - 1);
    auto ask = command;
    ask.insert(ask.end(), {"-o", ""});
    auto ours = std::string{};
    for (const auto& x : lines(ask))
      if (x.ends_with('='))
        ours += (ours.empty() ? "" : ", ") + x.substr(0, x.size() - 1);
    EXPECT_EQ(ours + "\n", names);
  }
}

TEST_F(Completion, PrintsWhatIsInstalled) {
  for (const auto* shell : {"bash", "zsh", "fish"}) {
    auto file = std::ifstream{std::string{TROUPE_SOURCE_DIR}
                              + "/tools/troupe/completion." + shell};
    auto text = std::string{std::istreambuf_iterator<char>{file}, {}};
    EXPECT_EQ(run({"completion", shell}).out, text) << shell;
    EXPECT_NE(text.find("troupe __complete"), text.npos) << shell;
  }
  auto wrong = run({"completion", "fishh"});
  EXPECT_EQ(wrong.code, 2);
  EXPECT_NE(wrong.err.find("did you mean \"fish\"?"), std::string::npos)
    << wrong.err;
}

} // namespace

} // namespace troupe::test
