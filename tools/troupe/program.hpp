#pragma once

#include "troupe/tools/troupe/session.hpp"

namespace troupe::tools {

/// The command line as a program: its streams and variables of the
/// environment. @returns the exit code.
int run_program(int argc, const char* const* argv, far_connector connect_far);

} // namespace troupe::tools
