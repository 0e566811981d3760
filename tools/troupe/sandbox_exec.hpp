#pragma once

#include "troupe/config/model/error.hpp"

#include <string>
#include <vector>

namespace troupe::tools {

/// Why a command could not be started.
struct exec_failure {
  error why;
  int exit_code = 1; ///< As a shell's: 127 no such command, 126 cannot run.
};

/// Becomes a command inside a network namespace. As `ip netns exec` does, it
/// gives the command a mount namespace of its own with a /sys that shows the
/// namespace's interfaces; where that is not allowed, /sys stays the host's.
/// @pre the process has one thread that matters: all others end.
/// @returns only when that failed.
exec_failure exec_in_namespace(const std::string& path,
                               const std::vector<std::string>& command);

} // namespace troupe::tools
