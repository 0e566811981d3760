#pragma once

#include "troupe/persistence/store.hpp"

#include <string>
#include <vector>

namespace troupe::testing {

/// What must hold at any instant, in the middle of operations too: addresses
/// and MACs are unique per network and inside its pools, pools do not overlap,
/// every reference leads to a record. @returns what is wrong, one line each.
std::vector<std::string> check_records(const persistence::snapshot& records);

} // namespace troupe::testing
