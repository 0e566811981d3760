#pragma once

#include "troupe/drivers/bridge/wanted.hpp"

#include <string>
#include <vector>

namespace troupe::drivers {

/// Makes the veth pair of an endpoint with everything on it. The common case,
/// nothing is there yet, costs one request for the pair and a few for its
/// inside; what is there already is compared and mended. All or nothing.
/// Errors: `not_found` (bridge or namespace), `conflict` (the interface name
/// is taken in the namespace), `unavailable` (the bridge is full).
result<void>
create_bridge_endpoint(netns::kernel& kernel, const instance& owner,
                       const wanted_endpoint& wanted);

/// Lets the host forget who had the addresses, and tells the neighbours who has
/// them now. Errors: `not_found` if they are not on the interface any more.
result<void>
announce_bridge_endpoint(netns::kernel& kernel, const wanted_endpoint& wanted);

/// How the endpoint differs, one line each; on the order of ten requests.
result<std::vector<std::string>>
inspect_bridge_endpoint(netns::kernel& kernel, const instance& owner,
                        const wanted_endpoint& wanted);

} // namespace troupe::drivers
