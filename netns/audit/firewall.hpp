#pragma once

#include "troupe/netns/audit/audit.hpp"

#include <span>
#include <string>
#include <vector>

/// Firewalls of others that drop packets which are promised to get through.
/// Private to netns.
namespace troupe::netns {

/// @param uplink The link of the host's default route; empty: there is none.
result<std::vector<obstruction>>
find_firewalls(const std::vector<audit_link>& links,
               std::span<const promised_network> networks,
               const std::string& uplink);

} // namespace troupe::netns
