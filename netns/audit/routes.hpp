#pragma once

#include "troupe/config/model/address.hpp"
#include "troupe/netns/audit/socket.hpp"

#include <optional>
#include <string>
#include <vector>

/// The host's routing, as the audit reads it. Private to netns.
namespace troupe::netns {

/// The first three are what the kernel makes for an address of a link.
enum class route_kind : uint8_t { subnet, self, groups, other };

struct audit_route {
  route_kind kind = route_kind::other;
  prefix destination;
  int index = 0; ///< Output link; 0: none.
  uint32_t table = 0;
  std::string text; ///< As `ip route` names it, e.g. `blackhole 10.1.0.0/16`.
};

/// All routes of all tables and both families.
result<std::vector<audit_route>> read_routes(audit_socket& socket);

/// A rule of `ip rule` that is not one of the kernel's three.
struct audit_routing_rule {
  ip_family family = ip_family::v4;
  std::optional<prefix> source;
  std::optional<prefix> destination;
  std::string text;    ///< e.g. `100: from 10.1.0.0/16 blackhole`.
  std::string command; ///< Removes it.
};

struct audit_rules {
  std::vector<audit_routing_rule> others;
  std::vector<std::string> missing; ///< Commands that give back the kernel's.
};

result<audit_rules> read_rules(audit_socket& socket);

/// Commands that give back rules of the kernel's own which the listing of one
/// family lacks: without them its tables are not looked at.
std::vector<std::string>
missing_rules(ip_family family, const std::vector<audit_message>& rules);

/// Where the host would send a packet.
struct audit_way {
  int os_error = 0; ///< Why nowhere; 0: it has a way.
  int index = 0;    ///< Output link.
};

/// @param in Index of the link it comes in by; 0: the host itself sends it.
result<audit_way>
ask_way(audit_socket& socket, const ip_address& to,
        const std::optional<ip_address>& from = {}, int in = 0);

} // namespace troupe::netns
