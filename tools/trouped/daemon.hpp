#pragma once

#include "troupe/config/settings.hpp"

namespace troupe::tools {

/// Runs the daemon in the foreground until SIGTERM or SIGINT; the networks
/// stay up. A second signal ends it at once, which loses nothing either.
/// @param inject_faults lets root inject faults while it runs.
/// When an actor ends by itself the daemon says why and ends within a second,
/// for who started it to start it again.
/// @pre no other thread runs yet, for all inherit the blocked signals.
/// @returns the exit code 0; a failure ends the program: 1 failed, 2 wrong
/// settings, 4 another daemon has the directories or the socket.
int run_daemon(const settings& configuration, bool inject_faults = false);

} // namespace troupe::tools
