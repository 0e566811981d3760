#pragma once

#include "troupe/persistence/schema.hpp"
#include "troupe/persistence/store.hpp"

#include <optional>
#include <string>

namespace troupe::persistence {

/// One environment as start-up found it.
struct found_file {
  bool is_new = true; ///< There was none, or it was set aside.
  std::optional<std::string> set_aside; ///< Where the damaged file is now.
  contents found;                       ///< Empty if new.
};

/// Compares both environments with each other and with the running kernel.
///
/// | durable | runtime | meaning |
/// |---|---|---|
/// | any | of another boot | rebooted: its records are to be dropped |
/// | of another boot | new | rebooted |
/// | of this boot | new | the runtime records were lost under live objects |
/// | older or new | of this boot | suspicious: a restored or lost file |
origin compare(const found_file& durable, const found_file& runtime,
               const std::string& boot_id);

} // namespace troupe::persistence
