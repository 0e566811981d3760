#pragma once

#include "troupe/tests/lab/scenario.hpp"

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

namespace troupe::tools {

/// What the command line asks for.
struct sim_options {
  std::string scenario_file; ///< Empty: the swarm scenario.
  testing::scenario scenario;
  uint64_t first_seed = 1;
  uint64_t runs = 1;
  /// Steps to keep of the one seed; nothing: all.
  std::optional<std::vector<size_t>> keep;
  bool shrink = false;
  bool verbose = false;
  bool table = false;
  bool require_coverage = false;
  std::string junit_file;
  std::string json_file;
};

/// Either options, or the exit code to leave with; what there is to say was
/// written to the streams.
struct sim_command {
  std::optional<sim_options> run;
  int exit_code = 0;
};

/// Exit codes: 2 for a wrong command line or scenario.
sim_command parse_sim_flags(int argc, const char* const* argv,
                            std::ostream& out, std::ostream& err);

} // namespace troupe::tools
