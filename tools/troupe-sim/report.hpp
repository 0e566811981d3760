#pragma once

#include "troupe/config/model/error.hpp"
#include "troupe/tests/lab/coverage.hpp"

#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

namespace troupe::tools {

/// One seed that failed.
struct sim_failure {
  uint64_t seed = 0;
  std::string replay; ///< The command that fails again.
  size_t steps = 0;   ///< Of that command.
  size_t operations = 0;
  std::string wrong;
};

/// Everything that was found out.
struct sim_report {
  std::string scenario;
  uint64_t first_seed = 0;
  uint64_t runs = 0;
  double seconds = 0;
  testing::coverage seen;
  std::vector<sim_failure> failures;
};

/// What is told at the end.
void print(std::ostream& out, const sim_report& x, bool table);

/// One test case for the scenario, one failure for each seed that failed.
/// Errors: the file cannot be written.
result<void> write_junit(const std::string& file, const sim_report& x);

/// An object with `scenario`, `first_seed`, `runs`, `seconds`, `requests`,
/// `checks`, `pairs`; `failures`, each with `seed`, `replay`, `steps`,
/// `operations`, `wrong`; `faults`, how often each struck; and `operations`, by
/// name, each with `done`, `refused`, `unknown` and the `faults` it met.
/// Errors: the file cannot be written.
result<void> write_json(const std::string& file, const sim_report& x);

} // namespace troupe::tools
