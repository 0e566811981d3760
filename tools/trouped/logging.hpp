#pragma once

#include "troupe/tools/trouped/exchange.hpp"

#include <chrono>
#include <string>
#include <string_view>

namespace troupe::tools {

/// Sends all logs to stderr: for people with time and level, for the journal
/// with the prefixes of sd-daemon(3). Nobody waits for whoever reads them.
/// @param level a value of the setting `log-level`.
void start_logging(const std::string& level);

/// Gives lines that are not written yet this long. Those logged later may be
/// lost.
void end_logging(std::chrono::milliseconds longest);

/// Is this descriptor the journal's, as JOURNAL_STREAM (`device:inode`) says?
bool is_journal(int fd, const char* journal_stream);

/// Control bytes as `\xHH`, so that no text of a client makes a line of its
/// own.
std::string escaped(std::string_view text);

/// One line about a request that may have changed something.
std::string audit_line(const audit_record& x);

} // namespace troupe::tools
