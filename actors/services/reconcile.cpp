#include "troupe/actors/services/reconcile.hpp"

#include <algorithm>
#include <set>

namespace troupe {

namespace {

std::string joined(const std::vector<std::string>& lines) {
  auto text = std::string{};
  for (const auto& line : lines)
    text += (text.empty() ? "" : "; ") + line;
  return text;
}

/// Compares one object and mends it; adds a finding if it differed.
template <class Inspect, class Create>
void mend_one(std::vector<finding>& findings, const std::string& object,
              Inspect inspect, Create create) {
  auto differences = inspect();
  if (differences && differences->empty())
    return;
  auto found = finding{object, {}, "rebuild what differs", false};
  found.problem
    = differences ? joined(*differences) : differences.error().message;
  // A driver that cannot even look would only say it again.
  if (!differences && differences.error().code == ec::unsupported)
    return findings.push_back(std::move(found));
  if (auto made = create(); made)
    found.repaired = true;
  else
    found.problem += "; repair failed: " + made.error().message;
  findings.push_back(std::move(found));
}

std::set<std::string>
wanted_ids(const reconcile_driver& wanted, drivers::found_object::kind kind) {
  auto ids = std::set<std::string>{};
  if (kind == drivers::found_object::kind::network)
    for (const auto& network : wanted.networks)
      ids.insert(network.id.brief());
  else
    for (const auto& plan : wanted.plans)
      ids.insert(plan.endpoint.id.brief());
  ids.insert(wanted.foreign.begin(), wanted.foreign.end());
  return ids;
}

std::vector<drivers::found_object>
unwanted(const std::vector<drivers::found_object>& found,
         const reconcile_driver& wanted) {
  using kind = drivers::found_object::kind;
  const auto networks = wanted_ids(wanted, kind::network);
  const auto endpoints = wanted_ids(wanted, kind::endpoint);
  auto leftovers = std::vector<drivers::found_object>{};
  for (const auto& x : found)
    if (x.what == kind::doomed
        || !(x.what == kind::network ? networks : endpoints)
              .contains(x.brief_id))
      leftovers.push_back(x);
  return leftovers;
}

void remove_unwanted(drivers::driver& driver, netns::kernel& kernel,
                     const std::vector<drivers::found_object>& leftovers,
                     reconcile_report& report) {
  report.leftovers = leftovers.size();
  if (leftovers.empty())
    return;
  if (auto removed = driver.remove_found(kernel, leftovers); !removed)
    report.findings.push_back(
      {"leftovers of driver " + std::string{driver.name()},
       std::to_string(leftovers.size())
         + " objects nobody owns: " + removed.error().message,
       "remove them", false});
}

} // namespace

result<void> remove_where(
  drivers::driver& driver, netns::kernel& kernel,
  const std::function<bool(const drivers::found_object&)>& is_meant) {
  auto found = driver.list(kernel);
  if (!found)
    return fail(std::move(found.error()));
  std::erase_if(*found, std::not_fn(is_meant));
  return found->empty() ? result<void>{} : driver.remove_found(kernel, *found);
}

result<void> remove_named(drivers::driver& driver, netns::kernel& kernel,
                          const std::vector<std::string>& links) {
  return remove_where(driver, kernel, [&](const drivers::found_object& x) {
    return std::find(links.begin(), links.end(), x.name) != links.end();
  });
}

result<reconcile_report>
reconcile(drivers::driver& driver, netns::kernel& kernel,
          const reconcile_driver& wanted) {
  auto found = driver.list(kernel);
  if (!found)
    return fail(std::move(found.error()));
  auto report = reconcile_report{};
  const auto leftovers = unwanted(*found, wanted);
  // Leftovers first: one may hold a name or an address that is wanted.
  if (wanted.remove_leftovers)
    remove_unwanted(driver, kernel, leftovers, report);
  else
    report.leftovers = leftovers.size();
  for (const auto& network : wanted.networks)
    mend_one(
      report.findings,
      "network " + network.name + " (" + network.id.brief() + ")",
      [&] {
        return driver.inspect_network(kernel, network);
      },
      [&] {
        return driver.create_network(kernel, network);
      });
  for (const auto& plan : wanted.plans)
    mend_one(
      report.findings,
      "endpoint " + plan.network.name + "/" + plan.endpoint.name + " ("
        + plan.endpoint.id.brief() + ")",
      [&] {
        return driver.inspect_endpoint(kernel, plan);
      },
      [&] {
        return driver.create_endpoint(kernel, plan);
      });
  return report;
}

} // namespace troupe
