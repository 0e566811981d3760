#pragma once

#include "troupe/actors/api/routes.hpp"
#include "troupe/actors/embedded/live_faults.hpp"
#include "troupe/tools/trouped/connections.hpp"

namespace troupe::tools {

/// A request about injected faults.
struct fault_request {
  const api::route& where; ///< One of the kind `faults`.
  peer who;
  std::span<const api::parameter> path;
  std::string_view query;
  std::string_view body;
};

/// Does what is asked for, at once. @param faults null: injection is off.
/// @returns the body of the reply.
/// Errors: `forbidden` for everybody but root and the daemon's own user, and
/// when injection is off; else those of `live_faults`.
result<std::string>
ask_about_faults(live_faults* faults, const fault_request& what);

/// The status with a warning that faults can be injected, and how many were.
daemon_status with_faults(daemon_status x, const live_faults& faults);

} // namespace troupe::tools
