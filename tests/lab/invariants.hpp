#pragma once

#include "troupe/actors/check/record_check.hpp"
#include "troupe/tests/lab/simulated_system.hpp"

#include <string>
#include <vector>

namespace troupe::testing {

// What must hold whenever nothing is in work. Written from the design alone:
// shares no code with the drivers, the doctor or the recovery.

/// At any instant, like `check_records`: no namespace has two of our default
/// routes of a family.
std::vector<std::string> check_routes(const simulated_system& system);

/// Everything on the host that is not ours, as text: it must stay the same.
std::string foreign_things(const simulated_system& system);

/// Compares the kernel with what follows from the store: per sandbox one pin,
/// per join one link on the host and one interface, per bridge network one
/// bridge, and nothing else of ours; and `check_records`. @returns what is
/// wrong, one line each.
std::vector<std::string> check_world(const simulated_system& system);

/// Compares what the daemon says with the store. @returns what is wrong.
std::vector<std::string> check_actors(simulated_system& system);

/// Both, as text; empty if all is well.
std::string check_all(simulated_system& system);

/// Removes everything by requests. @returns what could not be removed.
std::string remove_everything(simulated_system& system);

} // namespace troupe::testing
