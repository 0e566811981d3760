#include <fmt/format.h>

#include "raw_floor.hpp"
#include "scenarios.hpp"
#include "subject.hpp"
#include <vector>

namespace troupe::bench {

namespace {

constexpr auto step = 100;

/// What one hundred more took.
struct hundred {
  int first = 0; ///< So many were there before.
  samples floor;
  samples ours;
};

double growth(const samples& first, const samples& last) {
  return last.p50() / first.p50();
}

} // namespace

void measure_growth(const setting& how, report& out) {
  constexpr auto group = "growth of one bridge";
  auto count = how.quick ? 3 * step : 9 * step;
  auto floor = raw_floor{"/run/floor"};
  auto ours = subject::embedded(how.state_base);
  auto sandboxes = std::vector<sandbox>{};
  auto hundreds = std::vector<hundred>{};
  // Hundred by hundred in turn, each on its own bridge; ours with a port each.
  for (auto first = 0; first < count; first += step)
    hundreds.push_back(
      {first, floor.attach(first, step), ours->attach(step, sandboxes, 1)});
  floor.drop_namespaces(0, count);
  ours->remove(sandboxes);
  floor.settle();
  ours->settle();

  for (const auto& x : hundreds)
    out.add(timed(group, fmt::format("floor, {} and more", x.first), x.floor));
  for (const auto& x : hundreds) {
    auto line
      = timed(group, fmt::format("embedded, {} and more", x.first), x.ours);
    line.to_floor = x.ours.p50() / x.floor.p50();
    out.add(line);
  }
  auto floor_grew = growth(hundreds.front().floor, hundreds.back().floor);
  auto ours_grew = growth(hundreds.front().ours, hundreds.back().ours);
  auto line = row{};
  line.group = group;
  line.name
    = fmt::format("grew {:.2f} x, floor {:.2f} x", ours_grew, floor_grew);
  line.to_floor = ours_grew / floor_grew;
  line.goal = "<= 1.1 x";
  line.reached = *line.to_floor <= 1.1;
  out.add(line);
}

} // namespace troupe::bench
