#pragma once

#include "troupe/tests/lab/coverage.hpp"
#include "troupe/tests/lab/sim_plan.hpp"

#include <string>
#include <vector>

namespace troupe::testing {

/// What a run did, and what was wrong.
struct sim_outcome {
  std::string wrong;               ///< One line each; empty if nothing was.
  std::vector<std::string> events; ///< What happened, one line each.
  coverage seen;
};

/// Runs a plan, on a thread of its own: clients ask, faults strike, after each
/// step what must always hold is checked. Then quiet: faults end, and all must
/// converge; what clients were told must have an order; records, kernel and
/// actors must agree, again after a restart; and removing everything must leave
/// the machine as it was.
sim_outcome run_plan(const sim_plan& plan);

} // namespace troupe::testing
