#pragma once

#include "troupe/tests/lab/sim_plan.hpp"

#include <functional>

namespace troupe::testing {

/// Finds a short part of a plan that still fails: leaves out halves, quarters,
/// … single steps, as long as `fails` says that what remains does.
/// @param fails runs a plan.
/// @param most_runs how often at most.
/// @returns the shortest part found; the plan itself if nothing could go.
sim_plan
shrink(const sim_plan& plan, const std::function<bool(const sim_plan&)>& fails,
       size_t most_runs = 2'000);

/// The numbers of a plan's steps.
std::vector<size_t> numbers_of(const sim_plan& plan);

} // namespace troupe::testing
