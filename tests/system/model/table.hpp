#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

/// Who must reach whom, computed from the requests alone: the table of
/// docs/firewall.md once more. Shares nothing with the code under test.
namespace troupe::test::reach {

inline constexpr int sandbox_count = 3;
inline constexpr int network_count = 3;

/// The gateway mode of a network, of both its families.
enum class mode : uint8_t { nat, unprotected, routed, internal };

struct network {
  mode how = mode::nat;
  bool icc = true;
  bool v6 = true; ///< IPv4 they all have.
};

/// Which of the host's addresses a port is published at.
enum class host_side : uint8_t {
  any,      ///< All, of both families.
  uplink,   ///< The IPv4 address of the uplink.
  loopback, ///< 127.0.0.1.
};

/// A published port.
struct port {
  uint16_t host = 0;
  uint16_t inside = 0;
  bool tcp = true;
  host_side at = host_side::any;
  int serial = 0; ///< Differs for each publication.

  bool is_same(const port& x) const {
    return host == x.host && inside == x.inside && tcp == x.tcp && at == x.at;
  }
};

/// A sandbox in a network.
struct endpoint {
  int address = 0; ///< The last part of its addresses.
  int priority = 0;
  int serial = 0; ///< Differs for each attachment.
  std::vector<port> ports;
};

/// What was asked for and done.
struct state {
  std::array<network, network_count> networks;
  std::map<std::pair<int, int>, endpoint> endpoints; ///< Sandbox, network.
  int last_serial = 0;

  const endpoint* find(int sandbox, int network) const;
  endpoint* find(int sandbox, int network);
  bool is_taken(uint16_t host_port, bool tcp) const;
  bool is_used(int network) const;
  bool is_attached(int sandbox) const;

  /// The network that a sandbox's packets to elsewhere leave by; -1: none.
  int gateway(int sandbox, bool v6) const;
};

/// Addresses of the world; a network's sandboxes are told apart by the last
/// part.
std::string uplink_address(bool v6);
std::string neighbour_address(bool v6);
std::string subnet_of(int network, bool v6);
std::string address_of(int network, int last, bool v6);

/// What the daemon should list: a line for each endpoint, with its IPv4
/// address and container ports.
std::string listing(const state& now);

/// Who sends: a sandbox's number, or one of these.
inline constexpr int from_neighbour = sandbox_count;
inline constexpr int from_host = sandbox_count + 1;

/// Packets that are sent all the time from one fixed port.
struct flow {
  enum class target : uint8_t {
    uplink,    ///< An address of the host.
    loopback,  ///< 127.0.0.1, ::1.
    neighbour, ///< The other host.
    inside,    ///< An address of a network.
  };
  int from = 0;
  bool v6 = false;
  bool tcp = true;
  target to = target::uplink;
  int network = 0; ///< Of `inside`.
  int address = 0; ///< Likewise.
  uint16_t port = 0;

  std::string text() const;
};

/// What must become of a flow.
struct expectation {
  bool open = false; ///< Nothing is promised.
  int server = -1; ///< Who answers: a sandbox or `from_neighbour`; -1: nobody.
  std::string seen_as; ///< The client's address there; empty: any.
  /// Which objects it depends on. While they stay, so do its connections.
  std::string path;
};

expectation expected(const state& now, const flow& what);

/// All flows that are tried.
std::vector<flow> all_flows();

} // namespace troupe::test::reach
