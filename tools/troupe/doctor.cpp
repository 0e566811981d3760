#include "troupe/tools/troupe/listing.hpp"

#include <CLI/CLI.hpp>

#include <memory>
#include <ostream>

namespace troupe::tools {

namespace {

void print_report(session& s, const doctor_report& report,
                  const output_options& how) {
  if (how.format == output_format::json)
    return s.print(dump(to_json(report), 2));
  if (how.format == output_format::name) {
    for (const auto& x : report.findings)
      s.print(x.object);
    return;
  }
  if (report.findings.empty())
    return s.print("Store, actors and kernel agree.");
  auto table = text_table{{"OBJECT", "PROBLEM", "REPAIR", "REPAIRED"}};
  for (const auto& x : report.findings)
    table.add({x.object, x.problem, x.repair, x.repaired ? "yes" : "no"});
  s.io.out << table.text();
}

void doctor(session& s, bool repair, const output_options& how) {
  auto report = s.ask<doctor_report>(run_doctor{repair});
  if (!report)
    return;
  print_report(s, *report, how);
  for (const auto& x : report->findings)
    if (!x.repaired)
      s.code = exit_failure;
  if (s.code == exit_failure && !repair)
    s.io.err << "Hint: troupe doctor --repair mends what is listed\n";
}

} // namespace

void add_doctor_command(CLI::App& app, session& s) {
  struct arguments {
    output_options how;
    bool repair = false;
  };
  auto x = std::make_shared<arguments>();
  auto* command = app.add_subcommand(
    "doctor", "Compare store, actors and kernel; exit 1 if they differ");
  command->add_flag("--repair", x->repair, "Mend the differences");
  add_format(*command, x->how);
  command->callback([&s, x] {
    doctor(s, x->repair, x->how);
  });
}

} // namespace troupe::tools
