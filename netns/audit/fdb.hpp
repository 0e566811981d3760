#pragma once

#include "troupe/netns/audit/audit.hpp"

#include <span>
#include <vector>

/// Forwarding entries of bridges that lead frames elsewhere. Private to netns.
namespace troupe::netns {

/// Entries of others for the MAC address of an endpoint or of its bridge, which
/// what the bridge learns does not replace.
result<std::vector<obstruction>>
find_stray_entries(const std::vector<audit_link>& links,
                   std::span<const promised_network> networks);

} // namespace troupe::netns
