#pragma once

#include <string>

namespace troupe::test::reach {

/// Somebody deletes links while the kernel drops the events about it and then
/// says so. @returns what is still wrong before the regular comparison could
/// have come by; empty if nothing is.
std::string check_lost_events();

} // namespace troupe::test::reach
