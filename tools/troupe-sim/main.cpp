#include "troupe/tests/lab/shrink.hpp"
#include "troupe/tests/lab/sim_run.hpp"
#include "troupe/tools/troupe-sim/options.hpp"
#include "troupe/tools/troupe-sim/progress.hpp"
#include "troupe/tools/troupe-sim/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iostream>

namespace troupe::tools {

namespace {

/// More would only repeat themselves.
constexpr size_t most_failures = 10;

constexpr int exit_failures = 1;
constexpr int exit_unwritten = 2;
constexpr int exit_coverage = 3;

std::string
replay_command(const sim_options& how, const testing::sim_plan& plan) {
  auto text = std::string{"troupe-sim "};
  if (!how.scenario_file.empty())
    text += how.scenario_file + " ";
  text += fmt::format("--seed {:#x}", plan.seed);
  const auto whole = testing::make_plan(how.scenario, plan.seed);
  if (plan.steps.size() < whole.steps.size())
    text += " --keep " + testing::to_string(testing::numbers_of(plan));
  return text;
}

sim_failure
describe(const sim_options& how, testing::sim_plan plan, std::string wrong) {
  if (how.shrink) {
    plan = testing::shrink(plan, [](const testing::sim_plan& x) {
      return !testing::run_plan(x).wrong.empty();
    });
    wrong = testing::run_plan(plan).wrong;
  }
  auto failure = sim_failure{};
  failure.seed = plan.seed;
  failure.replay = replay_command(how, plan);
  failure.steps = plan.steps.size();
  failure.operations = static_cast<size_t>(
    std::ranges::count_if(plan.steps, [](const testing::sim_step& x) {
      return x.operation.has_value();
    }));
  failure.wrong = std::move(wrong);
  return failure;
}

sim_report run(const sim_options& how) {
  const auto began = std::chrono::steady_clock::now();
  auto report = sim_report{};
  report.scenario = how.scenario.name;
  report.first_seed = how.first_seed;
  auto progress = progress_bar{how.runs};
  while (report.runs < how.runs && report.failures.size() < most_failures) {
    auto plan = testing::make_plan(how.scenario, how.first_seed + report.runs);
    if (how.keep)
      plan = testing::keep_steps(plan, *how.keep);
    auto outcome = testing::run_plan(plan);
    ++report.runs;
    report.seen.add(outcome.seen);
    if (how.verbose)
      for (const auto& line : outcome.events)
        std::cout << line << "\n";
    if (!outcome.wrong.empty())
      report.failures.push_back(
        describe(how, std::move(plan), std::move(outcome.wrong)));
    progress.show(report.runs, report.failures.size());
  }
  report.seconds
    = std::chrono::duration<double>(std::chrono::steady_clock::now() - began)
        .count();
  return report;
}

int finish(const sim_options& how, const sim_report& report) {
  const auto short_of = how.require_coverage && !report.seen.is_enough();
  print(std::cout, report, how.table || short_of);
  auto written = result<void>{};
  if (!how.junit_file.empty())
    written = write_junit(how.junit_file, report);
  if (written && !how.json_file.empty())
    written = write_json(how.json_file, report);
  if (!written) {
    std::cerr << "Error: " << written.error().message << "\n";
    return exit_unwritten;
  }
  if (!report.failures.empty())
    return exit_failures;
  if (!short_of)
    return 0;
  std::cerr << "Error: coverage: an operation never succeeded, or more than "
               "10 % of the pairs never came up\n"
               "Hint: more --runs\n";
  return exit_coverage;
}

} // namespace

} // namespace troupe::tools

int main(int argc, char** argv) {
  auto command
    = troupe::tools::parse_sim_flags(argc, argv, std::cout, std::cerr);
  if (!command.run)
    return command.exit_code;
  return troupe::tools::finish(*command.run, troupe::tools::run(*command.run));
}
