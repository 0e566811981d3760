#pragma once

#include <string>
#include <string_view>

namespace troupe {

/// Where a program is that ours start: beside the one that runs (as in the
/// build tree), or in the libexec folder. @returns empty if it is nowhere.
std::string find_helper_program(std::string_view name);

} // namespace troupe
