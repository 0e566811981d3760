#include <fmt/format.h>

#include "raw_floor.hpp"
#include "scenarios.hpp"
#include "subject.hpp"

namespace troupe::bench {

namespace {

constexpr size_t step = 100;

} // namespace

void measure_growth(const setting& how, report& out) {
  auto count = how.quick ? 300 : 900;
  auto floor_took = samples{};
  {
    auto floor = raw_floor{"/run/floor"};
    floor_took = floor.attach(0, count);
    floor.drop_namespaces(0, count);
    floor.settle();
  }
  auto ours = subject::embedded(how.state_base);
  auto sandboxes = std::vector<sandbox>{};
  auto ours_took = ours->attach(count, sandboxes);
  ours->remove(sandboxes);
  ours->settle();

  auto total = static_cast<size_t>(count);
  auto report_hundreds = [&](const char* name, const samples& xs) {
    for (size_t first = 0; first < total; first += step)
      out.add(timed("growth of one bridge",
                    fmt::format("{}, {} to {}", name, first, first + step),
                    xs.slice(first, first + step)));
  };
  auto growth = [&](const samples& xs) {
    return xs.slice(total - step, total).p50() / xs.slice(0, step).p50();
  };
  report_hundreds("floor", floor_took);
  report_hundreds("embedded", ours_took);
  auto line = row{};
  line.group = "growth of one bridge";
  line.name = fmt::format("last hundred to first: {:.2f}", growth(ours_took));
  line.to_floor = growth(ours_took) / growth(floor_took);
  line.goal = "<= 1.1 x the floor's growth";
  line.reached = *line.to_floor <= 1.1;
  out.add(line);
}

} // namespace troupe::bench
