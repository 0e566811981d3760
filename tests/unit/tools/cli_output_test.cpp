// How the command line shows things: order, width, templates, colours.

#include "troupe/config/model/json.hpp"
#include "troupe/tests/unit/tools/cli_fixture.hpp"
#include "troupe/tools/troupe/output.hpp"
#include "troupe/tools/troupe/row_template.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

namespace troupe::test {

namespace {

using words = std::vector<std::string>;

class CommandOutput : public cli_fixture {
protected:
  void SetUp() override {
    cli_fixture::SetUp();
    for (const auto* name : {"web-10", "web-2", "db"})
      (void)run({"network", "create", name, "--label", "tier=front"});
    (void)run({"sandbox", "create", "box"});
    (void)run({"attach", "web-2", "box", "--mac", "02:00:00:00:00:07"});
  }

  std::string list(const std::string& format) {
    auto x = run({"network", "ls", "--format", format});
    EXPECT_EQ(x.code, 0) << x.err;
    return x.out;
  }
};

TEST_F(CommandOutput, NumbersInNamesAreCounted) {
  EXPECT_EQ(list("name"), "db\nweb-2\nweb-10\n");
  auto all = json::parse(list("json"));
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[1]["spec"]["name"], "web-2");
}

TEST_F(CommandOutput, LinesOfJsonAreOneObjectEach) {
  auto lines = std::istringstream{list("jsonl")};
  auto names = std::string{};
  for (auto line = std::string{}; std::getline(lines, line);)
    names += json::parse(line)["spec"]["name"].get<std::string>() + " ";
  EXPECT_EQ(names, "db web-2 web-10 ");
}

TEST_F(CommandOutput, TemplatesShowFields) {
  EXPECT_EQ(list("{{.Name}}"), "db\nweb-2\nweb-10\n");
  EXPECT_EQ(list("{{ .Name }}: {{.Driver}}"),
            "db: bridge\nweb-2: bridge\nweb-10: bridge\n");
  EXPECT_EQ(list("{{.Labels}}"), "tier=front\ntier=front\ntier=front\n");
  EXPECT_EQ(list("{{.Spec.Labels.tier}}|{{.Labels.other}}|"),
            "front||\nfront||\nfront||\n");
  EXPECT_EQ(list("{{.Endpoints}} {{.EnableIPv4}}"), "0 true\n1 true\n0 true\n");
  EXPECT_EQ(list("{{json .Name}}"), "\"db\"\n\"web-2\"\n\"web-10\"\n");
  EXPECT_EQ(list("table {{.Name}}\\t{{.Driver}}"), "NAME     DRIVER\n"
                                                   "db       bridge\n"
                                                   "web-2    bridge\n"
                                                   "web-10   bridge\n");
  auto whole = list("{{json .}}");
  EXPECT_EQ(json::parse(whole.substr(0, whole.find('\n')))["spec"]["name"],
            "db");
  auto inspected
    = run({"network", "inspect", "web-2", "--format", "{{.ID}} {{.State}}"});
  EXPECT_EQ(inspected.out.size(), 64U + sizeof " ready") << inspected.out;
  EXPECT_EQ(run({"status", "--format", "{{.Networks}}"}).out, "3\n");
  EXPECT_EQ(run({"endpoint", "ls", "--format",
                 "{{.Network}}/{{.Name}} "
                 "{{.MAC}}"})
              .out,
            "web-2/box 02:00:00:00:00:07\n");
}

TEST_F(CommandOutput, WrongTemplatesAreRefused) {
  for (const auto& [format, says] : std::vector<std::pair<words, std::string>>{
         {{"{{.Nmae}}"}, "did you mean \"name\"?"},
         {{"{{Name}}"}, "is no field"},
         {{"{{range .}}"}, "is no field"},
         {{"{{.Name"}, "without }}"},
         {{"{{.Name | upper}}"}, "is no field"},
         {{"yaml"}, "\"yaml\""}}) {
    auto x = run({"network", "ls", "--format", format.front()});
    EXPECT_EQ(x.code, 2) << format.front();
    EXPECT_EQ(x.out, "") << format.front();
    EXPECT_NE(x.err.find(says), std::string::npos) << x.err;
  }
  // With nothing to show as well.
  EXPECT_EQ(
    run({"network", "ls", "-f", "name=none", "--format", "{{.Nmae}}"}).code, 2);
  EXPECT_EQ(
    run({"network", "ls", "-f", "name=none", "--format", "{{.Subnet}}"}).code,
    0);
}

TEST_F(CommandOutput, HeadersMayBeLeftOut) {
  auto x = run({"network", "ls", "--no-headers", "--format",
                "table {{.Name}}\\t{{.Driver}}"});
  EXPECT_EQ(x.out, "db       bridge\nweb-2    bridge\nweb-10   bridge\n");
  auto table = run({"sandbox", "ls", "--no-headers"}).out;
  EXPECT_EQ(std::ranges::count(table, '\n'), 1) << table;
  EXPECT_EQ(table.find("NAME"), std::string::npos);
}

size_t widest(const std::string& text) {
  auto lines = std::istringstream{text};
  auto result = size_t{0};
  for (auto line = std::string{}; std::getline(lines, line);)
    result = std::max(result, line.size());
  return result;
}

TEST_F(CommandOutput, TablesFitTheTerminal) {
  auto at = [this](size_t columns, words more) {
    more.insert(more.begin(), {"endpoint", "ls"});
    return run_command(uri(), more, {}, false, columns);
  };
  const auto all = at(0, {});
  EXPECT_GT(widest(all.out), 80U) << all.out;
  EXPECT_EQ(all.err, "");
  const auto narrow = at(80, {});
  EXPECT_LE(widest(narrow.out), 80U) << narrow.out;
  EXPECT_NE(narrow.out.find("NETWORK   NAME"), std::string::npos) << narrow.out;
  EXPECT_NE(narrow.err.find("no room for AGE"), std::string::npos)
    << narrow.err;
  EXPECT_NE(narrow.err.find("--wide shows all"), std::string::npos);
  EXPECT_EQ(without_age(at(80, {"--wide"}).out), without_age(all.out));
  EXPECT_EQ(without_age(at(200, {}).out), without_age(all.out));
  // What a template asks for is not left out.
  EXPECT_EQ(at(10, {"--format", "{{.Network}} {{.Name}} {{.State}}"}).out,
            "web-2 box joined\n");
}

TEST_F(CommandOutput, ColoursAreForTerminalsThatShowThem) {
  auto x = run_command(uri(), {"network", "ls"}, {}, false, 200, true);
  EXPECT_TRUE(x.out.starts_with("\x1b[1mNETWORK ID\x1b[0m")) << x.out;
  EXPECT_EQ(run({"network", "ls"}).out.find('\x1b'), std::string::npos);
}

TEST_F(CommandOutput, ANetworkIsShownWithItsEndpoints) {
  (void)run({"endpoint", "create", "web-2", "a-10"});
  (void)run({"endpoint", "create", "web-2", "a-9"});
  auto x = json::parse(run({"network", "inspect", "web-2"}).out).at(0);
  ASSERT_EQ(x["endpoints"].size(), 3U);
  const auto& details = x["endpoint_details"];
  ASSERT_EQ(details.size(), 3U);
  EXPECT_EQ(details[0]["name"], "a-9");
  EXPECT_EQ(details[1]["name"], "a-10");
  EXPECT_EQ(details[2]["name"], "box");
  EXPECT_EQ(details[2]["sandbox"], "box");
  EXPECT_EQ(details[2]["interface"], "eth0");
  EXPECT_EQ(details[2]["mac"], "02:00:00:00:00:07");
  EXPECT_EQ(details[2]["addresses"].size(), 1U);
  auto empty = json::parse(run({"network", "inspect", "db"}).out).at(0);
  EXPECT_EQ(empty["endpoint_details"], json::array());
}

TEST(Names, AreOrderedAsPeopleCount) {
  auto xs = words{"web-10", "web-2", "web", "a1", "a01", "10", "9", "b"};
  std::ranges::sort(xs, tools::natural_less);
  EXPECT_EQ(xs, (words{"9", "10", "a01", "a1", "b", "web", "web-2", "web-10"}));
  EXPECT_FALSE(tools::natural_less("x", "x"));
}

port_binding
binding(const std::string& host, uint16_t host_port, uint16_t port) {
  auto x = port_binding{};
  x.host_ip = ip_address::parse(host).value();
  x.host_port = host_port;
  x.port = port;
  return x;
}

TEST(Ports, AreRanges) {
  auto xs = std::vector<port_binding>{};
  for (uint16_t i = 0; i < 9; ++i) {
    xs.push_back(binding("0.0.0.0", 8080 + i, 80 + i));
    xs.push_back(binding("::", 8080 + i, 80 + i));
  }
  EXPECT_EQ(tools::ports_text(xs), "8080-8088->80-88/tcp");
  xs.push_back(binding("127.0.0.1", 9000, 443));
  EXPECT_EQ(tools::ports_text(xs),
            "8080-8088->80-88/tcp, 127.0.0.1:9000->443/tcp");
  EXPECT_EQ(tools::ports_text({binding("0.0.0.0", 80, 80)}),
            "0.0.0.0:80->80/tcp");
  EXPECT_EQ(tools::ports_text({binding("::", 80, 80), binding("::", 82, 81)}),
            "[::]:80->80/tcp, [::]:82->81/tcp");
  EXPECT_EQ(
    tools::ports_text({binding("0.0.0.0", 0, 80), binding("0.0.0.0", 0, 81)}),
    "80-81/tcp");
}

TEST(Tables, CutOnlyWhatMayBeAndKeepTheRest) {
  auto table = tools::text_table{std::vector<tools::table_column>{
    {"NAME", 0, false, false}, {"TEXT", 0, true, false}}};
  table.add({"one", "äöüäöüäöüäöüäöü"});
  EXPECT_EQ(table.text({18, false, true}), "NAME   TEXT\none    äöüäöüäöüä…\n");
}

} // namespace

} // namespace troupe::test
