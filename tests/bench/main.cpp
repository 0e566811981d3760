// troupe_bench: how fast Troupe is, beside the least the kernel can do, in the
// same run. Everything happens in namespaces that this program makes.

#include "raw_netlink.hpp"
#include "report.hpp"
#include "scenarios.hpp"
#include "scratch_host.hpp"
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <string_view>

namespace troupe::bench {

namespace {

struct scenario {
  std::string_view name;
  void (*run)(const setting& how, report& out);
};

constexpr scenario scenarios[]
  = {{"rounds", measure_rounds},          {"overhead", measure_overhead},
     {"growth", measure_growth},          {"memory", measure_memory},
     {"restart", measure_restart},        {"ports", measure_ports},
     {"connections", measure_connections}};

constexpr auto usage = R"(usage: troupe_bench [OPTION]...
  --quick          fewer repetitions
  --only NAME      rounds, overhead, growth, memory, restart, ports or
                   connections; repeatable
  --json FILE      write the result there as well
  --trouped FILE   the daemon; without it only the embedded way is measured
  --state DIR      an existing directory for durable stores; default /var/tmp
)";

struct command_line {
  setting how;
  std::string json;
  std::vector<std::string_view> only;

  bool wants(std::string_view name) const {
    return only.empty()
           || std::find(only.begin(), only.end(), name) != only.end();
  }
};

bool is_scenario(std::string_view name) {
  for (const auto& x : scenarios)
    if (x.name == name)
      return true;
  return false;
}

/// @returns false if it cannot be understood.
bool parse(int argument_count, char** arguments, command_line& into) {
  into.how.state_base = "/var/tmp";
  for (auto i = 1; i < argument_count; ++i) {
    auto name = std::string_view{arguments[i]};
    if (name == "--quick") {
      into.how.quick = true;
      continue;
    }
    if (++i == argument_count)
      return false;
    auto value = std::string_view{arguments[i]};
    if (name == "--only" && is_scenario(value))
      into.only.push_back(value);
    else if (name == "--json")
      into.json = value;
    else if (name == "--trouped")
      into.how.trouped = value;
    else if (name == "--state")
      into.how.state_base = value;
    else
      return false;
  }
  return true;
}

int run(const command_line& line) {
  enter_scratch_mounts();
  auto out = report{line.how.quick};
  for (const auto& x : scenarios)
    if (line.wants(x.name))
      x.run(line.how, out);
  std::fputs(out.text().c_str(), stdout);
  if (line.json.empty())
    return 0;
  if (!(std::ofstream{line.json} << out.json() << std::flush))
    die("write " + line.json + ": failed");
  return 0;
}

} // namespace

} // namespace troupe::bench

int main(int argument_count, char** arguments) {
  auto line = troupe::bench::command_line{};
  if (!troupe::bench::parse(argument_count, arguments, line)) {
    std::fputs(troupe::bench::usage, stderr);
    return 2;
  }
  return troupe::bench::run(line);
}
