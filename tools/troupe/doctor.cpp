#include "troupe/tools/troupe/listing.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <memory>
#include <ostream>

namespace troupe::tools {

namespace {

void print_report(session& s, const doctor_report& report,
                  const output_options& how) {
  if (print_data(s, how, to_json(report), field_names<doctor_report>()))
    return;
  if (how.format == output_format::name) {
    for (const auto& x : report.findings)
      s.print(x.object);
    return;
  }
  if (report.findings.empty())
    return s.print("Store, actors and kernel agree.");
  auto table = text_table{
    std::vector<std::string>{"OBJECT", "PROBLEM", "REPAIR", "REPAIRED"}};
  for (const auto& x : report.findings)
    table.add({x.object, x.problem, x.repair.empty() ? "-" : x.repair,
               x.repaired ? "yes" : "no"});
  s.io.out << table.text();
  // Commands are for copying: one a line, as they are.
  for (const auto& x : report.findings)
    if (!x.repaired && !x.command.empty())
      s.io.out << x.object << ": run: " << x.command << "\n";
  for (const auto& x : report.findings)
    if (!x.failure.empty())
      s.io.out << x.object << ": repair failed: " << x.failure << "\n";
}

void doctor(session& s, const run_doctor& what, const output_options& how) {
  auto report = s.ask<doctor_report>(what);
  if (!report)
    return;
  print_report(s, *report, how);
  for (const auto& x : report->findings)
    if (!x.repaired)
      s.code = exit_failure;
  const auto can_repair
    = std::ranges::any_of(report->findings, [](const finding& x) {
        return !x.repaired && !x.repair.empty();
      });
  if (can_repair && !what.repair)
    s.io.err << "Hint: troupe doctor --repair mends what has a repair\n";
}

} // namespace

void add_doctor_command(CLI::App& app, session& s) {
  struct arguments {
    output_options how;
    run_doctor what;
  };
  auto x = std::make_shared<arguments>();
  auto* command = app.add_subcommand(
    "doctor", "Say what keeps traffic from flowing as promised; exit 1 if "
              "something does");
  command->add_flag("--repair", x->what.repair, "Mend what is ours to mend");
  command->add_flag("--probe", x->what.probe,
                    "Also send packets along the ways that are promised");
  add_format(*command, x->how);
  command->callback([&s, x] {
    doctor(s, x->what, x->how);
  });
}

} // namespace troupe::tools
