#pragma once

// What an endpoint shows to the world: the wish, what became of it, and ports
// that are only announced.

#include "troupe/config/model/address.hpp"
#include "troupe/config/model/field.hpp"
#include "troupe/config/model/named.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe {

enum class protocol : uint8_t { tcp, udp, sctp };

template <>
inline constexpr std::array<std::string_view, 3> enum_names<protocol>{
  "tcp", "udp", "sctp"};

/// `tcp`, `udp` or `sctp`, in lower case. Errors: `invalid_argument`.
result<protocol> parse_protocol(std::string_view text);

/// A wish: publish ports of the container on the host.
struct port_spec {
  protocol proto = protocol::tcp;
  uint16_t port = 0;                 ///< In the container.
  uint16_t port_end = 0;             ///< Last one of a range; 0: `port` alone.
  std::optional<ip_address> host_ip; ///< Empty: the network's default.
  uint16_t host_port = 0;            ///< 0: an automatic one.
  /// Last one of a range; 0: `host_port` alone. A range belongs to a container
  /// range of the same length, one to one, or to one container port, which
  /// gets the first host port that is free.
  uint16_t host_port_end = 0;

  /// The last container port.
  uint16_t last_port() const {
    return port_end == 0 ? port : port_end;
  }

  /// The last host port; 0: automatic.
  uint16_t last_host_port() const {
    return host_port_end == 0 ? host_port : host_port_end;
  }

  static constexpr auto fields() {
    return std::tuple{field{"proto", &port_spec::proto},
                      field{"port", &port_spec::port},
                      field{"port_end", &port_spec::port_end},
                      field{"host_ip", &port_spec::host_ip},
                      field{"host_port", &port_spec::host_port},
                      field{"host_port_end", &port_spec::host_port_end}};
  }
};

/// Refuses what cannot be published, naming the part: port 0, an inverted
/// range, ranges of different lengths, an address that no host can have.
/// Errors: `invalid_argument`.
result<void> check_port(const port_spec& x);

/// Reads `[HOSTIP:][HOSTPORT[-HOSTPORT]:]PORT[-PORT][/tcp|udp|sctp]`; an IPv6
/// address stands in brackets. The value passes `check_port`.
/// Errors: `invalid_argument` naming the part.
result<port_spec> parse_port_spec(std::string_view text);

/// What `parse_port_spec` reads, with the protocol, e.g.
/// `[::1]:8080-8081:80/tcp`.
std::string to_string(const port_spec& x);

/// One host port that leads to a container port, as it was given; in records
/// and answers also many of them.
struct port_binding {
  protocol proto = protocol::tcp;
  uint16_t port = 0; ///< In the container.
  ip_address host_ip;
  uint16_t host_port = 0; ///< 0: none, the container's port is open (routed).
  /// Last one of a range, whose host ports go along one to one; 0: `port`
  /// alone.
  uint16_t port_end = 0;

  static constexpr auto fields() {
    return std::tuple{field{"proto", &port_binding::proto},
                      field{"port", &port_binding::port},
                      field{"host_ip", &port_binding::host_ip},
                      field{"host_port", &port_binding::host_port},
                      field{"port_end", &port_binding::port_end}};
  }
};

/// Fewest ports of a run that `compressed` makes one of.
inline constexpr size_t least_compressed = 16;

/// The same bindings, long runs of them as ranges: a record and an answer must
/// not grow with the ports of a range. Sorted.
std::vector<port_binding> compressed(std::vector<port_binding> xs);

/// The same bindings, one for each port: what everybody works with. Ranges that
/// cannot be (odd records) are cut.
std::vector<port_binding> expanded(const std::vector<port_binding>& xs);

/// By container port, protocol, host address and port.
void sort_bindings(std::vector<port_binding>& xs);

/// Orders bindings, for sets of them.
struct binding_less {
  bool operator()(const port_binding& a, const port_binding& b) const;
};

/// `0.0.0.0:8080->80/tcp`, `[::]:8080->80/tcp`, or `80/tcp` without a host
/// port; ranges as `0.0.0.0:8080-8099->80-99/tcp`.
std::string to_string(const port_binding& x);

/// A port that the container listens on; published with `publish_all` only.
struct exposed_port {
  protocol proto = protocol::tcp;
  uint16_t port = 0;

  static constexpr auto fields() {
    return std::tuple{field{"proto", &exposed_port::proto},
                      field{"port", &exposed_port::port}};
  }
};

/// Reads `PORT[/tcp|udp|sctp]`. Errors: `invalid_argument`.
result<exposed_port> parse_exposed_port(std::string_view text);

/// `80/tcp`.
std::string to_string(const exposed_port& x);

/// `10.0.0.1:80`, `[::1]:80`.
std::string host_text(const ip_address& address, uint16_t port);

} // namespace troupe
