#pragma once

#include "troupe/drivers/driver.hpp"

#include <optional>
#include <span>
#include <vector>

namespace troupe::drivers {

/// What a link is to this driver; nothing if it is none of ours.
std::optional<found_object>
classify(const instance& owner, const netns::link_info& link);

/// All bridges and veth pairs that carry our tag, and the user's bridges that
/// carry our mark. Of two pairs with one id the one with a wrong name is
/// doomed.
result<std::vector<found_object>>
list_bridge_objects(netns::kernel& kernel, const instance& owner);

/// Removes objects that were listed; those that are gone or whose index was
/// taken by another link since are skipped. Goes on after an error and returns
/// the first.
result<void> remove_bridge_objects(netns::kernel& kernel, const instance& owner,
                                   std::span<const found_object> objects);

/// Takes endpoints down together. Goes on after an error.
result<void>
remove_bridge_endpoints(netns::kernel& kernel, const instance& owner,
                        std::span<const endpoint_plan> plans);

} // namespace troupe::drivers
