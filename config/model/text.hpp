#pragma once

// What user text may be that ends in a record, a file or a terminal.

#include "troupe/config/model/network.hpp"

#include <string_view>

namespace troupe {

/// Refuses text that is not printable UTF-8, or too long. @param what for the
/// message, e.g. `label "a"`. Errors: `invalid_argument`.
result<void>
check_text(std::string_view text, std::string_view what, size_t max_bytes);

/// Labels and options: keys are not empty, keys and values `check_text`.
/// @param kind e.g. "label".
result<void> check_text_map(const text_map& x, std::string_view kind);

/// A host or domain name: parts of letters, digits, `-` and `_` with dots
/// between them, at most 63 bytes each; empty text is fine. @param what e.g.
/// "hostname". Errors: `invalid_argument`.
result<void>
check_host_name(std::string_view text, std::string_view what, size_t max_bytes);

/// The kernel's limit for the name of a host, and DNS's for any.
inline constexpr size_t max_hostname_bytes = 64;
inline constexpr size_t max_domainname_bytes = 253;

} // namespace troupe
