#pragma once

#include "troupe/actors/api/backend.hpp"
#include "troupe/tests/lab/scenario.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace troupe::testing {

/// One thing that happens in a run: a client's request, or a fault.
struct sim_step {
  size_t number = 0; ///< Its place in the seed's whole plan, from 0.
  unsigned client = 0;
  std::optional<request> operation; ///< Empty: `fault` happens.
  fault_setting fault;
  uint64_t salt = 0;     ///< Decides everything else about this step.
  unsigned messages = 0; ///< Between actors, before the next step.
  int pause_ms = 0;      ///< Virtual time after that.
};

/// Everything a seed decides, before anything runs: leaving steps out does not
/// change the others, which is what makes runs shrink.
struct sim_plan {
  uint64_t seed = 0;
  int objects = 0;
  std::vector<sim_step> steps;
  uint64_t salt = 0; ///< Decides about the quiet phase.
};

/// Draws a plan. The same scenario and seed give the same plan.
sim_plan make_plan(const scenario& what, uint64_t seed);

/// The plan with some of its steps only. Unknown numbers are ignored.
sim_plan keep_steps(const sim_plan& plan, const std::vector<size_t>& numbers);

/// Numbers of its steps, e.g. `3,7-9,12`.
std::string to_string(const std::vector<size_t>& numbers);

/// Inverse of that. Errors: `invalid_argument`.
result<std::vector<size_t>> parse_numbers(std::string_view text);

/// e.g. `client 2: attach {"network":"n1",…}` or `fault store-full`.
std::string to_string(const sim_step& x);

/// e.g. `attach {"network":"n1",…}`.
std::string to_string(const request& x);

operation_kind kind_of(const request& x);

} // namespace troupe::testing
