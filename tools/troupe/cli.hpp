#pragma once

#include "troupe/tools/troupe/session.hpp"

#include <string>

namespace troupe::tools {

/// Runs one command line. @param default_host the address used without
/// `--host`. @param default_files the credentials used without `--tls-…`.
/// @param connect_far reaches other hosts; without it none can be reached.
/// @returns the exit code.
int run_cli(int argc, const char* const* argv, terminal io,
            const std::string& default_host,
            const credentials& default_files = {},
            far_connector connect_far = {});

} // namespace troupe::tools
