#pragma once

#include "troupe/config/model/error.hpp"
#include "troupe/config/model/fault.hpp"

#include <string_view>

namespace troupe::tools {

/// Reads a plan: JSON with comments, which is a fault, a list of faults, what
/// the API takes, or a scenario of troupe-sim, of which only the faults count.
/// Errors: `invalid_argument` with file, line and column.
result<add_faults>
parse_fault_file(std::string_view name, std::string_view text);

} // namespace troupe::tools
