#include "troupe/actors/controller/recovery.hpp"

#include "troupe/actors/objects/port_changes.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

namespace troupe {

namespace {

/// Ephemeral endpoints and joins are written together; one without the other
/// belongs to no operation that was acknowledged.
struct known_ids {
  std::set<network_id> networks;
  std::set<sandbox_id> sandboxes;
  std::map<endpoint_id, const endpoint_spec*> endpoints;
  std::set<endpoint_id> joined;
};

known_ids collect(const persistence::snapshot& records) {
  auto ids = known_ids{};
  for (const auto& x : records.networks)
    ids.networks.insert(x.id);
  for (const auto& x : records.sandboxes)
    ids.sandboxes.insert(x.id);
  for (const auto& x : records.endpoints)
    ids.endpoints.emplace(x.id, &x);
  for (const auto& x : records.joins)
    if (ids.endpoints.contains(x.endpoint) && ids.sandboxes.contains(x.sandbox))
      ids.joined.insert(x.endpoint);
  return ids;
}

/// What has the endpoints of a network whose record is missing.
network_spec stand_in_for(const network_id& id) {
  auto result = network_spec{};
  result.id = id;
  result.name = "unknown-" + id.brief();
  result.driver.clear();
  result.enable_ipv4 = false;
  return result;
}

/// Names are what people use: of two with the same one only ids tell.
template <class Records>
void note_same_names(const Records& records, const std::string& kind,
                     std::vector<std::string>& problems) {
  auto seen = std::map<std::string, std::string>{};
  for (const auto& x : records)
    if (auto [other, fresh] = seen.emplace(x.name, x.id.brief()); !fresh)
      problems.push_back(kind + " " + quoted(x.name) + " (" + x.id.brief()
                         + "): " + kind + " " + other->second
                         + " has the same name; refer to them by id");
}

} // namespace

rebuild_plan plan_rebuild(persistence::snapshot records) {
  for (auto& x : records.endpoints)
    if (x.network.empty())
      x.network.value = std::string(64, '0'); // One that can be referred to.
  auto ids = collect(records);
  auto plan = rebuild_plan{};
  plan.networks = std::move(records.networks);
  plan.sandboxes = std::move(records.sandboxes);
  plan.forwarding = records.forwarding;
  note_same_names(plan.networks, "network", plan.problems);
  note_same_names(plan.sandboxes, "sandbox", plan.problems);
  for (auto& x : records.joins) {
    if (!ids.joined.contains(x.endpoint)) {
      plan.orphans.emplace_back(persistence::remove_join_record{x.endpoint});
      continue;
    }
    const auto& endpoint = *ids.endpoints.at(x.endpoint);
    x.network = endpoint.network; // Which it only repeats.
    x.bindings = expanded(x.bindings);
    // Left behind by a change of ports that came to nothing, or to its end.
    if (!endpoint.ephemeral)
      std::erase_if(x.bindings, [&](const auto& binding) {
        return !explains(endpoint, binding);
      });
    plan.joins.push_back(std::move(x));
  }
  auto seen = std::set<endpoint_id>{};
  for (auto& x : records.endpoints) {
    // Durable ones come first: of one id in both environments those stay.
    if (!seen.insert(x.id).second
        || (x.ephemeral && !ids.joined.contains(x.id))) {
      plan.orphans.emplace_back(
        persistence::remove_endpoint_record{x.id, x.ephemeral});
      continue;
    }
    if (ids.networks.insert(x.network).second) {
      plan.networks.push_back(stand_in_for(x.network));
      plan.problems.push_back("network " + x.network.brief()
                              + ": has endpoints but no record; it is shown as "
                              + plan.networks.back().name);
    }
    plan.endpoints[x.network].push_back(std::move(x));
  }
  std::sort(plan.joins.begin(), plan.joins.end(),
            [](const auto& a, const auto& b) {
              return std::tie(a.sandbox, a.interface)
                     < std::tie(b.sandbox, b.interface);
            });
  return plan;
}

bool may_remove_leftovers(const persistence::origin& origin,
                          bool user_allows_it) {
  if (user_allows_it)
    return true;
  if (origin.suspicious)
    return false;
  // A reboot takes the runtime store along, and the kernel's objects with it.
  return !origin.durable_is_new && (!origin.runtime_is_new || origin.rebooted);
}

error leftovers_error(const persistence::origin& origin, size_t leftovers) {
  auto why = std::string{"the store was just made"};
  if (origin.suspicious)
    why = *origin.suspicious;
  else if (!origin.durable_is_new)
    why = "the runtime store is gone";
  return {ec::conflict,
          "start: " + std::to_string(leftovers)
            + " kernel objects carry this daemon's tag but no record knows "
              "them: "
            + why,
          "restore the state and run directories, or start once with "
          "--remove-leftovers to delete these objects",
          0};
}

} // namespace troupe
