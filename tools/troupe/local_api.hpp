#pragma once

#include "troupe/config/model/json.hpp"
#include "troupe/tools/troupe/session.hpp"

#include <string>

namespace troupe::tools {

/// Sends a request that only the daemon's own host may send, which is therefore
/// no part of `request`. @param body JSON; empty: none.
/// @returns the body of a success.
/// Errors: `unsupported` for a `caf+tls://` host; those of the connection and
/// of the daemon.
result<json>
ask_local(session& s, const std::string& method, const std::string& target,
          const std::string& operation, std::string body = {});

} // namespace troupe::tools
