#include <fmt/format.h>

#include "scenarios.hpp"
#include "subject.hpp"
#include <string>
#include <utility>
#include <vector>

namespace troupe::bench {

namespace {

struct step {
  int endpoints;
  double goal_s; ///< 0: none.
};

// A bridge takes 1 023 ports.
constexpr step steps[] = {{100, 0}, {500, 0.3}, {1'000, 0.5}};

constexpr auto fill_threads = 8;
constexpr auto repeats = 5;

row memory_row(std::string name, double kib, double goal_kib) {
  auto result = row{};
  result.group = "memory of the daemon";
  result.name = std::move(name);
  result.kib = kib;
  if (goal_kib > 0) {
    result.goal = fmt::format("<= {:.0f} KiB", goal_kib);
    result.reached = kib <= goal_kib;
  }
  return result;
}

constexpr auto restart_group = "restart to ready after SIGKILL";

row restart_row(const step& x, const samples& took) {
  auto result
    = timed(restart_group, fmt::format("{} endpoints", x.endpoints), took);
  result.p99_ms.reset(); // Too few for that.
  if (x.goal_s > 0) {
    result.goal = fmt::format("<= {:.1f} s", x.goal_s);
    result.reached = *result.p50_ms <= x.goal_s * 1'000;
  }
  return result;
}

/// One of the daemon's own steps of its last start.
row part_row(const startup_step& x) {
  auto result = row{};
  result.group = restart_group;
  result.name = "  of that " + x.name;
  result.p50_ms = static_cast<double>(x.duration_us) / 1'000;
  return result;
}

double resident(const subject& daemon) {
  return static_cast<double>(resident_kib(daemon.pid()));
}

bool left_out(const setting& how, const step& x) {
  return how.quick && x.endpoints > 500;
}

/// Attaches until there are so many.
void fill(subject& daemon, int endpoints, std::vector<sandbox>& sandboxes) {
  auto missing = endpoints - static_cast<int>(sandboxes.size());
  daemon.attach_at_once(missing, fill_threads, sandboxes);
}

} // namespace

void measure_memory(const setting& how, report& out) {
  if (how.trouped.empty())
    return;
  {
    auto used = subject::behind_daemon(how.state_base, how.trouped);
    measure_memory_after(how, *used, out);
  }
  auto daemon = subject::behind_daemon(how.state_base, how.trouped);
  out.add(memory_row("empty", resident(*daemon), 24 * 1'024));
  auto sandboxes = std::vector<sandbox>{};
  // What the first requests bring along (threads, buffers) is no endpoint's.
  auto least = steps[0].endpoints;
  fill(*daemon, least, sandboxes);
  auto base = resident(*daemon);
  out.add(memory_row(fmt::format("{} endpoints", least), base, 0));
  for (const auto& x : steps) {
    if (x.endpoints == least || left_out(how, x))
      continue;
    fill(*daemon, x.endpoints, sandboxes);
    auto kib = resident(*daemon);
    out.add(memory_row(fmt::format("{} endpoints", x.endpoints), kib, 0));
    out.add(
      memory_row(fmt::format("per endpoint, {} to {}", least, x.endpoints),
                 (kib - base) / (x.endpoints - least), 16));
  }
  daemon->remove(sandboxes);
  daemon->settle();
}

void measure_restart(const setting& how, report& out) {
  if (how.trouped.empty())
    return;
  auto daemon = subject::behind_daemon(how.state_base, how.trouped);
  auto sandboxes = std::vector<sandbox>{};
  for (const auto& x : steps) {
    if (left_out(how, x))
      continue;
    fill(*daemon, x.endpoints, sandboxes);
    auto took = samples{};
    for (auto i = 0; i < repeats; ++i)
      took.add(daemon->restart());
    out.add(restart_row(x, took));
    for (const auto& part : daemon->startup())
      out.add(part_row(part));
  }
  daemon->remove(sandboxes);
  daemon->settle();
}

} // namespace troupe::bench
