#pragma once

#include "troupe/config/model/error.hpp"
#include "troupe/persistence/schema.hpp"

#include <chrono>
#include <string>
#include <string_view>

namespace troupe::persistence {

/// What a data file turned out to be.
struct checked_file {
  enum class health : uint8_t {
    healthy, ///< Intact, of our schema version or an older one.
    damaged, ///< To be set aside.
  };

  health verdict = health::healthy;
  std::string reason; ///< Of a damaged file.
  contents found;     ///< Of a healthy one.
};

/// Reads a data file in a child process and checks every checksum and the seal
/// over all of them. LMDB 0.9 crashes on damaged files; it does so in the
/// child, and nothing of the file is ever mapped here.
/// @param kind `durable` or `runtime`: what the file must be.
/// @param patience how long the child may be silent.
/// Errors: `unsupported` for a newer schema; `conflict` for a file of the
/// other kind; `unavailable` when the child was killed or remained silent
/// twice: the file is then left as it is, because nothing is known about it.
result<checked_file>
check_file(const std::string& path, std::string_view kind,
           std::chrono::milliseconds patience = std::chrono::seconds{10});

} // namespace troupe::persistence
