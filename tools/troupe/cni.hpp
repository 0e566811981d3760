#pragma once

#include "troupe/tools/troupe/session.hpp"

namespace troupe::tools {

/// `cni install`: sets container runtimes up to use `troupe-cni`.
void add_cni_commands(CLI::App& app, session& s);

} // namespace troupe::tools
