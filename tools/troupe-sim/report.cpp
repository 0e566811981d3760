#include "troupe/tools/troupe-sim/report.hpp"

#include "troupe/config/model/json.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <fstream>
#include <ostream>

namespace troupe::tools {

namespace {

using testing::coverage;
using testing::fault_kind;
using testing::operation_kind;

std::string xml_text(std::string_view text) {
  auto result = std::string{};
  for (auto c : text)
    switch (c) {
    case '&':
      result += "&amp;";
      break;
    case '<':
      result += "&lt;";
      break;
    case '>':
      result += "&gt;";
      break;
    case '"':
      result += "&quot;";
      break;
    default:
      // XML has no other control characters.
      result += static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t'
                  ? '?'
                  : c;
    }
  return result;
}

result<void> write(const std::string& name, const std::string& text) {
  errno = 0;
  auto file = std::ofstream{name, std::ios::binary | std::ios::trunc};
  file << text << std::flush;
  if (!file)
    return fail(os_failure(errno == 0 ? EIO : errno, "write report " + name));
  return {};
}

json to_json(const coverage& x, size_t row) {
  auto faults = json::object();
  for (size_t i = 0; i < coverage::fault_count; ++i)
    faults[std::string{enum_names<fault_kind>[i]}] = x.met[row][i];
  return {{"done", x.done[row]},
          {"refused", x.refused[row]},
          {"unknown", x.unknown[row]},
          {"faults", std::move(faults)}};
}

} // namespace

void print(std::ostream& out, const sim_report& x, bool table) {
  if (table)
    out << to_table(x.seen);
  for (const auto& failure : x.failures)
    out << fmt::format("seed {:#x} failed with {} operations; replay with:\n"
                       "  {}\n{}",
                       failure.seed, failure.operations, failure.replay,
                       failure.wrong);
  auto done = uint64_t{0};
  for (auto n : x.seen.done)
    done += n;
  auto faults = uint64_t{0};
  for (auto n : x.seen.faults)
    faults += n;
  const auto kills = x.seen.faults[static_cast<size_t>(fault_kind::actor_kill)];
  out << fmt::format(
    "sim runs: {}, failed {}, requests {} (done {}), faults struck {}, "
    "restarts {}, checks {}, operations {}/{}, pairs {}/{}, {:.1f} s\n",
    x.runs, x.failures.size(), x.seen.requests, done, faults, x.seen.starts,
    x.seen.checks, x.seen.operations_seen(), coverage::operation_count,
    x.seen.pairs_seen(), coverage::pair_count, x.seconds);
  // For tools/fault_summary.py.
  out << fmt::format("fault count: random seeds: {}\n"
                     "fault count: actor kills: {}\n",
                     x.runs, kills);
}

result<void> write_junit(const std::string& file, const sim_report& x) {
  auto text = fmt::format(
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
    "<testsuites tests=\"{0}\" failures=\"{1}\">\n"
    "<testsuite name=\"troupe-sim\" tests=\"{0}\" failures=\"{1}\" "
    "time=\"{2:.3f}\">\n",
    x.runs, x.failures.size(), x.seconds);
  if (x.failures.size() < x.runs)
    text += fmt::format("<testcase classname=\"{}\" name=\"{} seeds that "
                        "passed\" time=\"{:.3f}\"/>\n",
                        xml_text(x.scenario), x.runs - x.failures.size(),
                        x.seconds);
  for (const auto& failure : x.failures)
    text += fmt::format("<testcase classname=\"{}\" name=\"seed {:#x}\">\n"
                        "<failure message=\"{}\">{}</failure>\n</testcase>\n",
                        xml_text(x.scenario), failure.seed,
                        xml_text(failure.replay), xml_text(failure.wrong));
  return write(file, text + "</testsuite>\n</testsuites>\n");
}

result<void> write_json(const std::string& file, const sim_report& x) {
  auto failures = json::array();
  for (const auto& failure : x.failures)
    failures.push_back({{"seed", failure.seed},
                        {"replay", failure.replay},
                        {"steps", failure.steps},
                        {"operations", failure.operations},
                        {"wrong", failure.wrong}});
  auto operations = json::object();
  for (size_t i = 0; i < coverage::operation_count; ++i)
    operations[std::string{enum_names<operation_kind>[i]}] = to_json(x.seen, i);
  auto faults = json::object();
  for (size_t i = 0; i < coverage::fault_count; ++i)
    faults[std::string{enum_names<fault_kind>[i]}] = x.seen.faults[i];
  const auto document = json{{"scenario", x.scenario},
                             {"first_seed", x.first_seed},
                             {"runs", x.runs},
                             {"seconds", x.seconds},
                             {"requests", x.seen.requests},
                             {"checks", x.seen.checks},
                             {"pairs", x.seen.pairs_seen()},
                             {"failures", std::move(failures)},
                             {"faults", std::move(faults)},
                             {"operations", std::move(operations)}};
  return write(file, dump(document, 2) + "\n");
}

} // namespace troupe::tools
