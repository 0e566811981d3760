#pragma once

#include "troupe/actors/core/plumbing.hpp"

namespace troupe {

/// Brings everything of one driver to the wanted state: networks first, then
/// endpoints, then what nobody wants is removed. Goes on after an error; what
/// could not be mended is a finding that is not repaired. Errors: only when the
/// kernel cannot be listed, and then nothing was changed.
/// @thread_safety Blocks; on the driver's thread.
result<reconcile_report>
reconcile(drivers::driver& driver, netns::kernel& kernel,
          const reconcile_driver& wanted);

/// Removes what carries our tag and is meant. @thread_safety As `reconcile`.
result<void>
remove_where(drivers::driver& driver, netns::kernel& kernel,
             const std::function<bool(const drivers::found_object&)>& is_meant);

/// The same for the links with these names.
result<void> remove_named(drivers::driver& driver, netns::kernel& kernel,
                          const std::vector<std::string>& links);

} // namespace troupe
