#pragma once

#include "troupe/actors/api/backend.hpp"
#include "troupe/actors/remote/uri.hpp"
#include "troupe/tools/troupe-remote/limits.hpp"
#include "troupe/tools/troupe-remote/pki.hpp"

#include <iosfwd>
#include <string>

namespace troupe::tools::remote {

/// How the process serves.
struct serve_options {
  troupe::remote::host_port listen;
  credentials who;
  std::string daemon; ///< `unix://…`.
  std::string log_level = "info";
  peer_limits peers;
  stranger_limits strangers;
};

/// What the command line wants.
struct remote_command {
  enum class action : uint8_t { serve, check, init_pki, leave };
  action what = action::leave;
  int exit_code = 0; ///< Of `leave`.
  serve_options serve;
  pki_plan pki;
};

/// Reads flags and, where there is none, the environment (`TROUPE_REMOTE_…`).
/// Prints help and errors. Exit code 2: wrong usage.
remote_command parse_remote_flags(int argc, const char* const* argv,
                                  std::ostream& out, std::ostream& err);

} // namespace troupe::tools::remote
