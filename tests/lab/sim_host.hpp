#pragma once

#include "troupe/tests/lab/scenario.hpp"
#include "troupe/tests/lab/simulated_system.hpp"

#include <string>

namespace troupe::testing {

/// Somebody else on the host damages something of ours; `salt` chooses what.
/// @returns what was done, e.g. `delete trp1a2b3c4d5e6f`; empty if there was
/// nothing to damage.
std::string interfere(simulated_system& system, fault_kind what, uint64_t salt);

} // namespace troupe::testing
