#pragma once

#include "troupe/netns/audit/audit.hpp"
#include "troupe/netns/audit/routes.hpp"

#include <set>
#include <span>
#include <string>
#include <vector>

/// Where the host's routes and rules lead promised packets. Private to netns.
namespace troupe::netns {

/// What is told already.
struct told_of_ways {
  std::set<std::string> lacking;   ///< Bridges without their own routes.
  std::set<ip_family> unforwarded; ///< Not forwarded everywhere.
};

/// Asks the kernel itself, so that routes, rules and settings count together
/// whatever they are; where somebody has rules of his own, about each member
/// and about its ports.
/// @param routes All of the host's.
result<std::vector<obstruction>>
find_closed_ways(audit_socket& socket, const std::vector<audit_link>& links,
                 std::span<const promised_network> networks,
                 const std::vector<audit_route>& routes, told_of_ways told);

} // namespace troupe::netns
