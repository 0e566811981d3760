#include "troupe/actors/services/firewall/check.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace troupe {

namespace {

/// What of the connections differs.
void compare_connections(firewall_work& work, bool repair,
                         std::vector<std::string>& found) {
  auto stale = work.stale_connections();
  if (!stale) {
    found.push_back("firewall: " + stale.error().message);
    return;
  }
  std::ranges::move(*stale, std::back_inserter(found));
  if (repair && !stale->empty())
    if (auto done = work.review_connections(); !done)
      found.push_back("firewall: " + done.error().message);
}

void add_port_problems(const firewall_work& work,
                       std::vector<finding>& findings) {
  if (work.ports() != nullptr)
    for (const auto& x : work.ports()->problems())
      findings.push_back(of_ports(x));
}

/// Brings back what is missing: rules, ports, what the host forwards. The
/// report says what was, and what still is.
result<void> mend(firewall_work& work, mend_report& report) {
  if (!report.differences.empty() || work.is_distrusted()) {
    work.note_gap();
    if (auto done = work.load(); !done)
      return done;
  }
  // What is left of it is told below.
  static_cast<void>(work.repair_ports());
  add_port_problems(work, report.unmended);
  auto forwarding = work.forwarding().mend();
  if (!forwarding)
    return fail(std::move(forwarding.error()));
  for (auto& x : *forwarding)
    if (x.repaired)
      report.differences.push_back("host: " + x.problem);
    else
      report.unmended.push_back(std::move(x));
  return {};
}

} // namespace

finding of_ports(const std::string& problem) {
  return {"published ports", problem, "take them again", false};
}

result<mend_report> check(firewall_work& work, const check_firewall& msg) {
  // Perhaps it is there by now; if not, the status keeps saying so.
  if (work.missing() && msg.repair)
    (void)work.load();
  // From now on until a load has worked: what is listed now, or fails to be,
  // shows no rule that is gone.
  if (msg.changed)
    work.distrust();
  auto found
    = msg.elements ? work.differences() : result<std::vector<std::string>>{};
  if (!found && !(msg.repair && work.is_distrusted()))
    return fail(std::move(found.error()));
  auto report = mend_report{};
  if (found)
    report.differences = std::move(*found);
  auto& lines = report.differences;
  if (lines.empty() && work.is_distrusted())
    lines.emplace_back(msg.changed ? "firewall: somebody changed its rules"
                                   : "firewall: its rules may be missing");
  if (!msg.repair)
    add_port_problems(work, report.unmended);
  else if (auto done = mend(work, report); !done)
    return fail(std::move(done.error()));
  if (msg.connections)
    compare_connections(work, msg.repair, lines);
  if (!msg.repair)
    return report;
  if (auto done = work.pay_connections(); !done)
    lines.push_back("firewall: " + done.error().message);
  return report;
}

firewall_notes notes_of(firewall_work& work) {
  auto notes = firewall_notes{work.warnings()};
  if (work.ports() != nullptr)
    for (auto& x : work.ports()->problems())
      notes.warnings.push_back("published ports: " + x);
  if (auto found = work.forwarding().look())
    for (const auto& x : *found)
      notes.warnings.push_back(x.problem + ": " + x.command);
  return notes;
}

} // namespace troupe
