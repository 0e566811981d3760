#pragma once

#include "troupe/config/model/address.hpp"
#include "troupe/config/model/port.hpp"
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

/// A packet whose way is asked for.
struct audit_question {
  ip_address to;
  std::optional<ip_address> from = {};
  int in = 0; ///< Index of the link it comes in by; 0: the host sends it.
  std::string in_name = {};           ///< Likewise; empty.
  std::optional<protocol> proto = {}; ///< Empty: any.
  uint16_t source_port = 0;           ///< Of `proto`.
  uint16_t destination_port = 0;      ///< Likewise.
};

/// A rule of `ip rule` that is not one of the kernel's three.
struct audit_routing_rule {
  /// From the first to the last; all: 0, 0.
  struct port_range {
    uint16_t first = 0;
    uint16_t last = 0;
  };

  ip_family family = ip_family::v4;
  std::optional<prefix> source;
  std::optional<prefix> destination;
  std::string incoming; ///< Link; `lo`: what the host sends; empty: any.
  uint8_t ip_proto = 0; ///< Number; 0: any.
  port_range source_ports;
  port_range destination_ports;
  bool wants_mark = false;  ///< That packets do not have by themselves.
  bool is_inverted = false; ///< All but these.
  uint32_t table = 0;       ///< To look up; 0: none.
  int os_error = 0;         ///< How it refuses packets; 0: it looks them up.
  std::string text;         ///< e.g. `100: from 10.1.0.0/16 blackhole`.
  std::string command;      ///< Removes it.
};

/// Is it about such packets? All of them are without a mark.
bool fits(const audit_routing_rule& rule, const audit_question& packet);

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

result<audit_way> ask_way(audit_socket& socket, const audit_question& packet);

} // namespace troupe::netns
