#pragma once

#include <string>

namespace troupe::test {

/// Runs all tests of this program in a child process that has network, mount
/// and process namespaces of its own and an empty tmpfs on /run. However the
/// program ends, the kernel then ends every process in there and drops the
/// namespaces. Without root nothing is isolated and the tests skip themselves.
/// @returns the exit code of the tests.
int run_isolated(int argc, char** argv);

/// Why this process is not isolated; empty if it is.
const std::string& isolation_refusal();

/// Moves the calling thread, and what it starts later, into a new network
/// namespace with `lo` up. @returns false with errno set.
bool enter_fresh_network();

} // namespace troupe::test
