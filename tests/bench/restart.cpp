#include <fmt/format.h>

#include "scenarios.hpp"
#include "subject.hpp"

namespace troupe::bench {

namespace {

struct step {
  int endpoints;
  double goal_s; ///< 0: none.
};

// A bridge takes 1 023 ports.
constexpr step steps[] = {{100, 0}, {500, 0.3}, {1'000, 0.5}};

constexpr auto fill_threads = 8;
constexpr auto repeats = 3;

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

row restart_row(const step& x, const samples& took) {
  auto result = timed("restart to ready after SIGKILL",
                      fmt::format("{} endpoints", x.endpoints), took);
  result.p99_ms.reset(); // Too few for that.
  if (x.goal_s > 0) {
    result.goal = fmt::format("<= {:.1f} s", x.goal_s);
    result.reached = *result.p50_ms <= x.goal_s * 1'000;
  }
  return result;
}

} // namespace

void measure_restart(const setting& how, report& out) {
  if (how.trouped.empty())
    return;
  auto daemon = subject::behind_daemon(how.state_base, how.trouped);
  auto empty = static_cast<double>(resident_kib(daemon->pid()));
  out.add(memory_row("empty", empty, 24 * 1'024));
  auto sandboxes = std::vector<sandbox>{};
  for (const auto& x : steps) {
    if (how.quick && x.endpoints > 500)
      continue;
    auto missing = x.endpoints - static_cast<int>(sandboxes.size());
    daemon->attach_at_once(missing, fill_threads, sandboxes);
    auto full = static_cast<double>(resident_kib(daemon->pid()));
    out.add(memory_row(fmt::format("{} endpoints", x.endpoints), full, 0));
    out.add(memory_row(fmt::format("per endpoint, of {}", x.endpoints),
                       (full - empty) / x.endpoints, 16));
    auto took = samples{};
    for (auto i = 0; i < repeats; ++i)
      took.add(daemon->restart());
    out.add(restart_row(x, took));
  }
  daemon->remove(sandboxes);
  daemon->settle();
}

} // namespace troupe::bench
