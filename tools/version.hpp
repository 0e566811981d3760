#pragma once

namespace troupe::tools {

/// The project's version, e.g. `0.1.0`; set by the build.
inline constexpr auto version = TROUPE_VERSION;

} // namespace troupe::tools
