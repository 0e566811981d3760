#pragma once

#include "troupe/tools/troupe-remote/flags.hpp"

namespace troupe::tools::remote {

/// Serves until SIGTERM or SIGINT; SIGHUP reads the certificates again.
/// @returns the exit code: 0 stopped, 1 failed, 2 unusable credentials or
/// rights.
int run_service(const serve_options& how);

/// Reads and checks the credentials, and says so. @returns the exit code.
int check_service(const serve_options& how);

} // namespace troupe::tools::remote
