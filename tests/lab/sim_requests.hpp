#pragma once

#include "troupe/tests/lab/sim_plan.hpp"

#include <random>

namespace troupe::testing {

/// One request of a client. Networks are `n0`, `n1`, …, endpoints `w…`,
/// sandboxes `s…`: few, so that requests meet, and none could be a prefix of an
/// id. @param objects how many names of each kind.
request
any_request(const operation_mix& mix, int objects, std::mt19937_64& rng);

} // namespace troupe::testing
