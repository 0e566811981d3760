#include "troupe/tests/lab/shrink.hpp"

#include <algorithm>

namespace troupe::testing {

std::vector<size_t> numbers_of(const sim_plan& plan) {
  auto numbers = std::vector<size_t>{};
  for (const auto& x : plan.steps)
    numbers.push_back(x.number);
  return numbers;
}

sim_plan
shrink(const sim_plan& plan, const std::function<bool(const sim_plan&)>& fails,
       size_t most_runs) {
  auto best = plan;
  auto runs = size_t{0};
  for (auto length = std::max<size_t>(1, best.steps.size() / 2);;) {
    auto left_out = false;
    // From the end: what comes after the failure is not needed at all.
    for (auto end = best.steps.size(); end > 0 && runs < most_runs;) {
      const auto begin = end - std::min(length, end);
      auto shorter = best;
      shorter.steps.erase(shorter.steps.begin() + static_cast<long>(begin),
                          shorter.steps.begin() + static_cast<long>(end));
      ++runs;
      if (fails(shorter)) {
        best = std::move(shorter);
        left_out = true;
      }
      end = begin;
    }
    if (runs >= most_runs || (length == 1 && !left_out))
      return best;
    // Once more with single steps: others may not be needed any longer.
    length = std::max<size_t>(1, length / 2);
  }
}

} // namespace troupe::testing
