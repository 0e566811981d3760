#include <fmt/format.h>

#include "scenarios.hpp"
#include "subject.hpp"
#include <thread>
#include <vector>

// What the daemon costs while nobody asks for anything, and what it keeps when
// everybody has gone.

namespace troupe::bench {

namespace {

constexpr auto fill_threads = 8;
constexpr auto endpoints = 500;

/// What is under way from the last request is not idleness.
constexpr auto rest = std::chrono::seconds{3};

void measure_rest(const setting& how, const subject& daemon, std::string name,
                  bool has_goal, report& out) {
  std::this_thread::sleep_for(rest);
  auto length = std::chrono::seconds{how.quick ? 10 : 60};
  auto before = use_of(daemon.pid());
  std::this_thread::sleep_for(length);
  auto after = use_of(daemon.pid());
  auto seconds = static_cast<double>(length.count());
  auto wakeups = row{};
  wakeups.group = "idle daemon: wake-ups";
  wakeups.name = name;
  wakeups.rate
    = static_cast<double>(after.switches - before.switches) / seconds;
  auto processor = row{};
  processor.group = "idle daemon: processor time in a minute";
  processor.name = std::move(name);
  processor.p50_ms = (after.cpu_ms - before.cpu_ms) * 60 / seconds;
  if (has_goal) {
    wakeups.goal = "<= 2 /s";
    wakeups.reached = *wakeups.rate <= 2;
    processor.goal = "<= 10 ms";
    processor.reached = *processor.p50_ms <= 10;
  }
  out.add(wakeups);
  out.add(processor);
}

} // namespace

void measure_idle(const setting& how, report& out) {
  if (how.trouped.empty())
    return;
  auto daemon = subject::behind_daemon(how.state_base, how.trouped);
  measure_rest(how, *daemon, "no endpoint", false, out);
  auto sandboxes = std::vector<sandbox>{};
  daemon->attach_at_once(endpoints, fill_threads, sandboxes);
  measure_rest(how, *daemon, fmt::format("{} endpoints", endpoints), true, out);
  daemon->remove(sandboxes);
  daemon->settle();
}

void measure_memory_after(const setting& how, subject& daemon, report& out) {
  const auto count = how.quick ? 300 : 900;
  auto line_of = [](std::string name, double kib) {
    auto line = row{};
    line.group = "memory of the daemon before and after use";
    line.name = std::move(name);
    line.kib = kib;
    return line;
  };
  auto resident = [&] {
    return static_cast<double>(resident_kib(daemon.pid()));
  };
  // The first endpoints bring along threads and buffers.
  auto sandboxes = std::vector<sandbox>{};
  daemon.attach_at_once(fill_threads, fill_threads, sandboxes);
  daemon.remove(sandboxes);
  daemon.settle();
  std::this_thread::sleep_for(rest);
  auto before = resident();
  out.add(line_of("before", before));
  daemon.attach_at_once(count, fill_threads, sandboxes);
  out.add(line_of(fmt::format("with {} endpoints", count), resident()));
  daemon.remove(sandboxes);
  daemon.settle();
  std::this_thread::sleep_for(rest);
  auto line = line_of("after their removal", resident());
  line.to_floor = *line.kib / before;
  line.goal = "<= 1.2 x before";
  line.reached = *line.to_floor <= 1.2;
  out.add(line);
}

} // namespace troupe::bench
