#pragma once

namespace troupe {

/// The project's version, as CMakeLists.txt says it; a test compares the two.
inline constexpr const char* version = "0.1.0";

} // namespace troupe
