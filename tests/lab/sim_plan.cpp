#include "troupe/tests/lab/sim_plan.hpp"

#include "troupe/config/model/id.hpp"
#include "troupe/tests/lab/sim_requests.hpp"

#include <algorithm>
#include <charconv>
#include <random>

namespace troupe::testing {

namespace {

/// Draws one plan.
class planner {
public:
  planner(scenario what, uint64_t seed) : what_{std::move(what)}, rng_{seed} {
  }

  sim_plan draw(uint64_t seed) {
    if (what_.swarm)
      draw_swarm();
    auto plan = sim_plan{seed, what_.objects, {}, 0};
    for (auto i = 0; i < what_.operations; ++i) {
      for (const auto& fault : what_.faults)
        if (pick(1'000) < static_cast<size_t>(fault.per_mille)) {
          auto step = next_step(plan);
          step.fault = fault;
          plan.steps.push_back(std::move(step));
        }
      auto step = next_step(plan);
      const auto early = i < what_.operations / 4;
      step.operation
        = any_request(early ? early_mix() : what_.mix, what_.objects, rng_);
      plan.steps.push_back(std::move(step));
    }
    plan.salt = rng_();
    return plan;
  }

private:
  size_t pick(size_t limit) {
    return static_cast<size_t>(rng_() % limit);
  }

  /// Few faults of few kinds find other bugs than all of them at once.
  void draw_swarm() {
    what_.clients = 1 + static_cast<int>(pick(what_.clients));
    what_.objects = 1 + static_cast<int>(pick(what_.objects));
    for_each_field(what_.mix, [&](std::string_view, int& weight) {
      constexpr int factors[] = {0, 1, 1, 4};
      weight *= factors[pick(std::size(factors))];
    });
    // Without these there is nothing to do anything with.
    what_.mix.create_network = std::max(what_.mix.create_network, 4);
    what_.mix.create_sandbox = std::max(what_.mix.create_sandbox, 4);
    const auto most = 1 + pick(6);
    std::ranges::shuffle(what_.faults, rng_);
    if (what_.faults.size() > most)
      what_.faults.resize(most);
    for (auto& fault : what_.faults)
      fault.per_mille = static_cast<int>(
        std::min<size_t>(1'000, pick(1 + 5UL * fault.per_mille)));
  }

  /// First there must be something: most requests to an empty daemon are
  /// refused.
  operation_mix early_mix() const {
    auto mix = what_.mix;
    for (auto* weight :
         {&mix.remove_network, &mix.remove_endpoint, &mix.remove_sandbox,
          &mix.leave, &mix.detach, &mix.unpublish})
      *weight = 0;
    for (auto* weight :
         {&mix.create_network, &mix.create_endpoint, &mix.create_sandbox})
      *weight *= 3;
    return sum_of(mix) > 0 ? mix : what_.mix;
  }

  static int sum_of(const operation_mix& mix) {
    auto sum = 0;
    for_each_field(mix, [&](std::string_view, int weight) {
      sum += weight;
    });
    return sum;
  }

  sim_step next_step(const sim_plan& plan) {
    auto step = sim_step{};
    step.number = plan.steps.size();
    step.client = static_cast<unsigned>(pick(what_.clients));
    step.salt = rng_();
    // Mostly few, so that operations overlap.
    step.messages = static_cast<unsigned>(pick(pick(4) == 0 ? 300 : 40));
    if (what_.duration_ms > 0)
      step.pause_ms = static_cast<int>(
        pick(1 + 2UL * what_.duration_ms / what_.operations));
    else if (pick(8) == 0)
      step.pause_ms = 1'000 * static_cast<int>(pick(3));
    return step;
  }

  scenario what_;
  std::mt19937_64 rng_;
};

} // namespace

sim_plan make_plan(const scenario& what, uint64_t seed) {
  return planner{what, seed}.draw(seed);
}

sim_plan keep_steps(const sim_plan& plan, const std::vector<size_t>& numbers) {
  auto result = plan;
  std::erase_if(result.steps, [&](const sim_step& x) {
    return std::ranges::find(numbers, x.number) == numbers.end();
  });
  return result;
}

std::string to_string(const std::vector<size_t>& numbers) {
  auto text = std::string{};
  for (size_t i = 0; i < numbers.size();) {
    auto last = i;
    while (last + 1 < numbers.size() && numbers[last + 1] == numbers[last] + 1)
      ++last;
    text += (text.empty() ? "" : ",") + std::to_string(numbers[i]);
    if (last > i)
      text += "-" + std::to_string(numbers[last]);
    i = last + 1;
  }
  return text;
}

result<std::vector<size_t>> parse_numbers(std::string_view text) {
  constexpr size_t most = 1'000'000;
  auto numbers = std::vector<size_t>{};
  const auto* at = text.data();
  const auto* end = text.data() + text.size();
  auto refuse = [&] {
    return fail(ec::invalid_argument, "read steps " + quoted(text),
                "write numbers like 3,7-9,12");
  };
  while (at != end) {
    auto first = size_t{0};
    auto parsed = std::from_chars(at, end, first);
    auto last = first;
    if (parsed.ec == std::errc{} && parsed.ptr != end && *parsed.ptr == '-')
      parsed = std::from_chars(parsed.ptr + 1, end, last);
    if (parsed.ec != std::errc{} || last < first || last > most
        || (parsed.ptr != end && *parsed.ptr != ','))
      return refuse();
    for (auto n = first; n <= last; ++n)
      numbers.push_back(n);
    at = parsed.ptr == end ? end : parsed.ptr + 1;
    if (parsed.ptr != end && at == end)
      return refuse();
  }
  return numbers;
}

std::string to_string(const sim_step& x) {
  if (x.operation)
    return "client " + std::to_string(x.client) + ": "
           + to_string(*x.operation);
  auto text = "fault " + to_string(x.fault.fault);
  if (!x.fault.on.empty())
    text += " on " + x.fault.on;
  if (!x.fault.error.empty())
    text += " " + x.fault.error;
  return text;
}

} // namespace troupe::testing
