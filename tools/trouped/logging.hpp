#pragma once

#include "troupe/tools/trouped/exchange.hpp"

#include <string>
#include <string_view>

namespace troupe::tools {

/// Sends all logs to stderr: for people with time and level, for the journal
/// with the prefixes of sd-daemon(3).
/// @param level a value of the setting `log-level`.
void start_logging(const std::string& level);

/// Is this descriptor the journal's, as JOURNAL_STREAM (`device:inode`) says?
bool is_journal(int fd, const char* journal_stream);

/// Control bytes as `\xHH`, so that no text of a client makes a line of its
/// own.
std::string escaped(std::string_view text);

/// One line about a request that may have changed something.
std::string audit_line(const audit_record& x);

} // namespace troupe::tools
