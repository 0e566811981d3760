#pragma once

#include "troupe/config/model/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace troupe::tools {

/// Unix time in milliseconds.
int64_t now_ms();

/// Reads a point in time as docker does: an age as of Go (`90s`, `1h30m`,
/// `24h`), Unix seconds (`1767225600`, `1767225600.5`), or RFC 3339 with or
/// without its end (`2026-01-31`, `2026-01-31T12:00:00Z`); without a zone it is
/// UTC. Errors: `invalid_argument`.
result<int64_t> parse_moment(std::string_view text, int64_t now_ms);

/// How long ago that was, shortly: `12s`, `5m`, `3h`, `4d`; empty for 0.
std::string age_text(int64_t created_ms, int64_t now_ms);

} // namespace troupe::tools
