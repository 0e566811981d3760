#pragma once

#include "troupe/tools/troupe/network_spec.hpp"
#include "troupe/tools/troupe/session.hpp"

namespace troupe::tools {

/// Adds what an endpoint may be given, for `endpoint create` and `attach`.
void add_endpoint_options(CLI::App& command, endpoint_flags& flags);

} // namespace troupe::tools
