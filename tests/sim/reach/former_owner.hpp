#pragma once

#include <string>

namespace troupe::test::reach {

/// An endpoint leaves while packets of others are on their way to it, and
/// another one takes its address. @returns which of them still pass; empty if
/// none does.
std::string check_former_owner();

} // namespace troupe::test::reach
