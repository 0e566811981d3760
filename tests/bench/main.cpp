// troupe_bench: how fast Troupe is, beside the least the kernel can do, in the
// same run. Everything happens in namespaces that this program makes; each
// scenario has a process of its own, so that one that fails costs no other.

#include "raw_netlink.hpp"
#include "report.hpp"
#include "scenarios.hpp"
#include "scratch_host.hpp"
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string_view>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace troupe::bench {

namespace {

struct scenario {
  std::string_view name;
  void (*run)(const setting& how, report& out);
};

constexpr scenario scenarios[] = {{"rounds", measure_rounds},
                                  {"overhead", measure_overhead},
                                  {"growth", measure_growth},
                                  {"networks", measure_networks},
                                  {"foreign", measure_foreign},
                                  {"idle", measure_idle},
                                  {"memory", measure_memory},
                                  {"restart", measure_restart},
                                  {"start", measure_start},
                                  {"ports", measure_ports},
                                  {"connections", measure_connections}};

/// A scenario that says nothing for so long hangs.
constexpr auto longest_silence = std::chrono::minutes{10};

constexpr auto usage = R"(usage: troupe_bench [OPTION]...
  --quick          fewer repetitions
  --only NAME      rounds, overhead, growth, networks, foreign, idle, memory,
                   restart, start, ports or connections; repeatable
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

/// Thousands of sockets are open at a time.
void raise_open_files() {
  auto limit = rlimit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0)
    return;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

/// Reads what the child writes until it ends. @returns false if it hangs.
bool take_rows(int from, report& out) {
  auto text = std::string{};
  for (;;) {
    auto polled = pollfd{from, POLLIN, 0};
    auto wait = std::chrono::milliseconds{longest_silence}.count();
    if (::poll(&polled, 1, static_cast<int>(wait)) == 0)
      return false;
    char buffer[4'096];
    auto size = ::read(from, buffer, sizeof buffer);
    if (size <= 0)
      return true;
    text.append(buffer, static_cast<size_t>(size));
    for (auto end = text.find('\n'); end != std::string::npos;
         end = text.find('\n')) {
      out.take(text.substr(0, end));
      text.erase(0, end + 1);
    }
  }
}

/// @returns false if the scenario failed.
bool run_apart(const scenario& x, const setting& how, report& out) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    die_errno("make pipe");
  auto child = ::fork();
  if (child < 0)
    die_errno("fork");
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    auto rows = report{how.quick, ends[1]};
    x.run(how, rows);
    std::_Exit(0);
  }
  ::close(ends[1]);
  if (!take_rows(ends[0], out))
    ::kill(child, SIGKILL);
  ::close(ends[0]);
  auto state = 0;
  ::waitpid(child, &state, 0);
  return WIFEXITED(state) && WEXITSTATUS(state) == 0;
}

int run(const command_line& line) {
  enter_scratch_mounts();
  raise_open_files();
  auto out = report{line.how.quick};
  auto code = 0;
  for (const auto& x : scenarios) {
    if (!line.wants(x.name) || run_apart(x, line.how, out))
      continue;
    out.miss(std::string{x.name});
    code = 1;
  }
  std::fputs(out.text().c_str(), stdout);
  if (line.json.empty())
    return code;
  if (!(std::ofstream{line.json} << out.json() << std::flush))
    die("write " + line.json + ": failed");
  return code;
}

} // namespace

} // namespace troupe::bench

int main(int argument_count, char** arguments) {
  auto line = troupe::bench::command_line{};
  if (argument_count == 2 && std::string_view{arguments[1]} == "--help") {
    std::fputs(troupe::bench::usage, stdout);
    return 0;
  }
  if (!troupe::bench::parse(argument_count, arguments, line)) {
    std::fputs(troupe::bench::usage, stderr);
    return 2;
  }
  return troupe::bench::run(line);
}
