#include "troupe/tools/troupe-sim/options.hpp"

#include "troupe/config/model/id.hpp"
#include "troupe/tests/lab/sim_plan.hpp"
#include "troupe/tools/version.hpp"

#include <CLI/CLI.hpp>

#include <cerrno>
#include <charconv>
#include <fstream>
#include <iterator>
#include <ostream>

namespace troupe::tools {

namespace {

/// Seeds of a run that names none.
constexpr uint64_t default_runs = 100;

struct raw_flags {
  std::string seed;
  std::string runs;
  std::string keep;
  bool list = false;
};

result<uint64_t> parse_number(std::string_view flag, std::string_view text) {
  const auto is_hex = text.starts_with("0x");
  const auto digits = is_hex ? text.substr(2) : text;
  auto value = uint64_t{0};
  auto [stop, status] = std::from_chars(
    digits.data(), digits.data() + digits.size(), value, is_hex ? 16 : 10);
  if (status != std::errc{} || stop != digits.data() + digits.size())
    return fail(ec::invalid_argument,
                "flag --" + std::string{flag}
                  + ": not a 64-bit number: " + quoted(text),
                "write it like 42 or 0x2a");
  return value;
}

result<testing::scenario> read_scenario(const std::string& name) {
  if (name.empty())
    return testing::swarm_scenario();
  auto file = std::ifstream{name, std::ios::binary};
  auto text = std::string{std::istreambuf_iterator<char>{file}, {}};
  if (!file)
    return fail(os_failure(errno == 0 ? EIO : errno, "read scenario " + name));
  return testing::load_scenario(name, text);
}

result<void> apply(const raw_flags& flags, sim_options& x) {
  if (!flags.seed.empty()) {
    auto seed = parse_number("seed", flags.seed);
    if (!seed)
      return fail(std::move(seed.error()));
    x.first_seed = *seed;
  }
  x.runs = flags.seed.empty() ? default_runs : 1;
  if (!flags.runs.empty()) {
    auto runs = parse_number("runs", flags.runs);
    if (!runs)
      return fail(std::move(runs.error()));
    if (*runs == 0)
      return fail(ec::invalid_argument, "flag --runs: must not be 0");
    x.runs = *runs;
  }
  if (flags.keep.empty())
    return {};
  if (flags.seed.empty() || x.runs != 1)
    return fail(ec::invalid_argument,
                "flag --keep: steps are those of one seed",
                "give --seed and no --runs");
  auto keep = testing::parse_numbers(flags.keep);
  if (!keep)
    return fail(with_context(std::move(keep.error()), "flag --keep"));
  x.keep = std::move(*keep);
  return {};
}

sim_command refuse(std::ostream& err, const error& why) {
  err << "Error: " << why.message << "\n";
  if (!why.hint.empty())
    err << "Hint: " << why.hint << "\n";
  return {std::nullopt, 2};
}

void list_names(std::ostream& out) {
  out << "Operations:\n";
  for (auto name : enum_names<testing::operation_kind>)
    out << "  " << name << "\n";
  out << "Faults:\n";
  for (auto name : enum_names<testing::fault_kind>)
    out << "  " << name << "\n";
}

} // namespace

sim_command parse_sim_flags(int argc, const char* const* argv,
                            std::ostream& out, std::ostream& err) {
  auto x = sim_options{};
  auto flags = raw_flags{};
  auto app = CLI::App{"Runs scenarios with the real actors on a simulated "
                      "kernel: one thread, virtual time, one seed that decides "
                      "everything.",
                      "troupe-sim"};
  app.set_version_flag("--version", std::string{"troupe-sim "} + version);
  app.add_option("SCENARIO", x.scenario_file,
                 "JSON file; without it: every operation and fault, a "
                 "different mix for each seed");
  app.add_option("--seed", flags.seed,
                 "The only seed, or with --runs the first");
  app.add_option("--runs", flags.runs, "How many seeds [100]");
  app.add_option("--keep", flags.keep, "Only these steps, e.g. 3,7-9");
  app.add_flag("--shrink", x.shrink,
               "Shorten what fails to the steps it needs");
  app.add_flag("-v,--verbose", x.verbose, "Tell what happens in each run");
  app.add_flag("--table", x.table, "Print operations against faults");
  app.add_flag("--require-coverage", x.require_coverage,
               "Fail unless all operations and 90 % of the pairs came up");
  app.add_option("--junit", x.junit_file, "Write a report for CI systems");
  app.add_option("--json", x.json_file, "Write a report for programs");
  app.add_flag("--list", flags.list, "Print names of operations and faults");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& why) {
    if (why.get_exit_code() != 0)
      return refuse(
        err, {ec::invalid_argument, why.what(), "see troupe-sim --help", 0});
    return {std::nullopt, app.exit(why, out, err)};
  }
  if (flags.list) {
    list_names(out);
    return {};
  }
  auto scenario = read_scenario(x.scenario_file);
  if (!scenario)
    return refuse(err, scenario.error());
  x.scenario = std::move(*scenario);
  if (auto done = apply(flags, x); !done)
    return refuse(err, done.error());
  return {std::move(x), 0};
}

} // namespace troupe::tools
