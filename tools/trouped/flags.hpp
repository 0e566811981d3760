#pragma once

#include "troupe/config/settings.hpp"

#include <iosfwd>
#include <optional>

namespace troupe::tools {

/// What the command line asks the daemon for.
struct daemon_command {
  enum class action : uint8_t { serve, print_openapi, check, leave };
  action what = action::leave;
  int exit_code = 0; ///< For `leave`.
  settings configuration;
  /// Not a setting: whoever wants it has to say so at each start.
  bool inject_faults = false;
};

/// Reads flags, environment and the settings file. Help, version and errors
/// are written to the streams.
daemon_command parse_daemon_flags(int argc, const char* const* argv,
                                  const overrides& environment,
                                  std::ostream& out, std::ostream& err);

/// The variables `TROUPE_…` of this process.
overrides troupe_environment();

} // namespace troupe::tools
