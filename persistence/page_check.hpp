#pragma once

#include "troupe/config/model/error.hpp"

#include <optional>
#include <string>

namespace troupe::persistence {

/// Looks at a data file without LMDB, by plain reads, for the damage that LMDB
/// would believe: it picks the newer of two root pages by a number that no
/// checksum guards, so one flipped bit makes it go back to the commit before.
/// Checked: both root pages, that their numbers are neighbours, that each
/// fits the list of pages freed by it, and that the file is long enough.
/// @returns what is wrong, `nullopt` if nothing is.
/// Errors: a file that cannot be read.
result<std::optional<std::string>> check_pages(const std::string& path);

} // namespace troupe::persistence
