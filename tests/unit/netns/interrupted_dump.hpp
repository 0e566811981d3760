#pragma once

#include <string>

namespace troupe::netns {

/// Lists this namespace's links while the kernel seems to say that they changed
/// in the middle of the first list, in which one was missing.
/// @returns what is wrong with the answer; empty if nothing is.
std::string check_interrupted_dump();

} // namespace troupe::netns
