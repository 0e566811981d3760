#pragma once

#include <spdlog/spdlog.h>

namespace troupe {

/// The log of the actors: the logger registered as "troupe" when the first line
/// is written (as the daemon does), else one of our own on standard error. An
/// embedding program's default logger is left alone.
/// @thread_safety Any thread.
spdlog::logger& log();

} // namespace troupe
