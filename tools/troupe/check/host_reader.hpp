#pragma once

#include "troupe/actors/check/host_check.hpp"
#include "troupe/config/model/error.hpp"

#include <string>

namespace troupe::tools {

/// Looks at the records and at the kernel, and changes neither.
///
/// The records are read from the store's files, by the code that checks them at
/// start-up: in a child process, with all checksums. So it does not matter
/// whether a daemon has them open, hangs or is dead; a commit under way makes
/// the sums disagree, and the file is read again.
/// @pre the calling thread is in the host's namespaces.
/// Errors: `forbidden` without the right to read; `not_found` when there is no
/// store; what the kernel refuses.
result<testing::host_view>
read_host(const std::string& state_dir, const std::string& run_dir);

} // namespace troupe::tools
