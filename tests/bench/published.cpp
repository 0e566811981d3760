#include <fmt/format.h>

#include "scenarios.hpp"
#include "subject.hpp"
#include <array>
#include <vector>

namespace troupe::bench {

namespace {

constexpr auto many = 50;

void measure_attach(const setting& how, subject& ours, report& out) {
  constexpr auto group = "attach with published ports, embedded";
  const auto counts = std::array{0, 1, many};
  auto attached = std::array<samples, 3>{};
  auto removed = std::array<samples, 3>{};
  // In turn, so that a busy machine is busy for all.
  for (auto round = 0; round < how.rounds(); ++round)
    for (size_t i = 0; i < counts.size(); ++i) {
      auto sandboxes = std::vector<sandbox>{};
      attached[i].add(
        ours.attach_with_ports(how.round_size() / 2, counts[i], sandboxes));
      removed[i].add(ours.remove(sandboxes));
      ours.settle();
    }
  const auto goals = std::array{0.0, 1.05, 1.3};
  for (size_t i = 0; i < counts.size(); ++i) {
    auto line = timed(group, fmt::format("{} ports", counts[i]), attached[i]);
    line.to_floor = attached[i].p50() / attached[0].p50();
    if (i > 0) {
      line.goal = fmt::format("<= {} x without", goals[i]);
      line.reached = *line.to_floor <= goals[i];
    }
    out.add(line);
  }
  for (size_t i = 0; i < counts.size(); ++i)
    out.add(timed("sandbox removed with its ports, embedded",
                  fmt::format("{} ports", counts[i]), removed[i]));
}

void measure_publish(const setting& how, subject& ours, report& out) {
  constexpr auto group = "publish one port, embedded";
  auto sandboxes = std::vector<sandbox>{};
  ours.attach(1, sandboxes);
  auto first = samples{};
  auto present = 0;
  for (auto wanted :
       how.quick ? std::vector{0, 1'000} : std::vector{0, 1'000, 10'000}) {
    constexpr auto each = 500;
    for (; present < wanted; present += each)
      ours.attach_with_ports(1, each, sandboxes);
    auto took = ours.publish(how.round_size(), sandboxes.front());
    auto line = timed(group, fmt::format("{} present", present), took);
    if (wanted == 0)
      first = took;
    line.to_floor = took.p50() / first.p50();
    if (wanted > 0) {
      line.goal = "flat (<= 1.2 x)";
      line.reached = *line.to_floor <= 1.2;
    }
    out.add(line);
  }
  ours.remove(sandboxes);
}

} // namespace

void measure_ports(const setting& how, report& out) {
  auto ours = subject::embedded(how.state_base);
  measure_attach(how, *ours, out);
  measure_publish(how, *ours, out);
}

} // namespace troupe::bench
