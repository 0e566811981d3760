#include "troupe/actors/recovery.hpp"

#include <algorithm>
#include <set>

namespace troupe {

namespace {

/// Ephemeral endpoints and joins are written together; one without the other
/// belongs to no operation that was acknowledged.
struct known_ids {
  std::set<network_id> networks;
  std::set<sandbox_id> sandboxes;
  std::set<endpoint_id> endpoints;
  std::set<endpoint_id> joined;
};

known_ids collect(const persistence::snapshot& records) {
  auto ids = known_ids{};
  for (const auto& x : records.networks)
    ids.networks.insert(x.id);
  for (const auto& x : records.sandboxes)
    ids.sandboxes.insert(x.id);
  for (const auto& x : records.endpoints)
    if (ids.networks.contains(x.network))
      ids.endpoints.insert(x.id);
  for (const auto& x : records.joins)
    if (ids.endpoints.contains(x.endpoint) && ids.sandboxes.contains(x.sandbox))
      ids.joined.insert(x.endpoint);
  return ids;
}

} // namespace

rebuild_plan plan_rebuild(persistence::snapshot records) {
  const auto ids = collect(records);
  auto plan = rebuild_plan{};
  plan.networks = std::move(records.networks);
  plan.sandboxes = std::move(records.sandboxes);
  for (auto& x : records.endpoints) {
    if (!ids.endpoints.contains(x.id)
        || (x.ephemeral && !ids.joined.contains(x.id)))
      plan.orphans.emplace_back(
        persistence::remove_endpoint_record{x.id, x.ephemeral});
    else
      plan.endpoints[x.network].push_back(std::move(x));
  }
  for (auto& x : records.joins)
    if (ids.joined.contains(x.endpoint))
      plan.joins.push_back(std::move(x));
    else
      plan.orphans.emplace_back(persistence::remove_join_record{x.endpoint});
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
