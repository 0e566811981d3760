#pragma once

#include "troupe/config/model/error.hpp"

namespace troupe::tools::remote {

/// Takes away what a worker does not need once it runs: memory beyond
/// 256 MiB of data, core dumps, new processes, and, by a filter of system calls
/// for all its threads, every way to open a file, a socket or a program. What
/// remains are the two sockets it has. Cannot be undone.
/// Errors: `internal`.
result<void> confine_worker();

} // namespace troupe::tools::remote
