#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace troupe {

/// Tells our kernel objects from those of other daemons on the same host.
/// Derived from the run directory alone, so it is the same after a restart
/// even when every file is lost.
struct instance {
  uint32_t number = 0; ///< 23 bits.

  /// @param run_dir absolute path, normalised by the settings.
  static instance of(std::string_view run_dir);

  /// Interface group of every link we make.
  uint32_t link_group() const {
    return 0x74000000U | (number << 1U);
  }
  /// Interface group of links that wait for their deletion in bulk.
  uint32_t trash_group() const {
    return link_group() | 1U;
  }
  /// Alias of a link: `troupe:<instance>:<object id>`.
  std::string alias(std::string_view object_id) const;
};

} // namespace troupe
