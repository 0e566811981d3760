#pragma once

#include "troupe/tools/troupe/session.hpp"

#include <string>

namespace troupe::tools {

/// Runs one command line. @param default_host the address used without
/// `--host`. @returns the exit code.
int run_cli(int argc, const char* const* argv, terminal io,
            const std::string& default_host);

} // namespace troupe::tools
