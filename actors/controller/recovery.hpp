#pragma once

#include "troupe/persistence/store.hpp"

#include <map>
#include <string>
#include <vector>

namespace troupe {

/// The records, ordered for rebuilding. Pure.
struct rebuild_plan {
  std::vector<network_spec> networks;
  std::map<network_id, std::vector<endpoint_spec>> endpoints;
  std::vector<sandbox_spec> sandboxes;
  std::vector<join_spec> joins; ///< In order of joining.
  /// Records whose object is gone, e.g. a join after a reboot: to be removed.
  std::vector<persistence::change> orphans;
  std::vector<std::string> problems; ///< What does not fit, one line each.
  persistence::forwarding_record forwarding = {};
};

/// Sorts the records and sets aside those that refer to nothing. An endpoint
/// that a user made stays: for a network that is not there it gets one in its
/// place, without a driver, so that it can be seen and removed.
rebuild_plan plan_rebuild(persistence::snapshot records);

/// May kernel objects with our tag be removed because the store does not know
/// them? Not on the word of a store that was just made, or is older than the
/// kernel's objects.
bool may_remove_leftovers(const persistence::origin& origin,
                          bool user_allows_it);

/// Why start-up stops, and how to go on.
error leftovers_error(const persistence::origin& origin, size_t leftovers);

} // namespace troupe
