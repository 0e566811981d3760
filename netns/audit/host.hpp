#pragma once

#include "troupe/netns/audit/audit.hpp"

#include <span>
#include <vector>

/// What keeps packets of promised networks from flowing through the host.
/// Private to netns.
namespace troupe::netns {

/// Everything found, sorted.
/// @param links Those of the host.
result<std::vector<obstruction>>
find_obstructions(const std::vector<audit_link>& links,
                  std::span<const promised_network> networks);

} // namespace troupe::netns
