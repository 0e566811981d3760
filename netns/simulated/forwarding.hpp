#pragma once

#include "troupe/config/model/port.hpp"
#include "troupe/netns/simulated/kernel.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

namespace troupe::netns {

/// The link of this name; null: there is none.
const simulated_link*
find_link(const simulated_namespace& ns, const std::string& name);

/// The first packet of a connection, or one of a connection that is tracked.
struct simulated_packet {
  /// The inode of the sender's namespace; 0: a neighbour of the host beyond
  /// the link `beyond`.
  uint64_t from = 0;
  std::string beyond;
  std::optional<ip_address> source; ///< Empty: as the routes say.
  std::optional<ip_address> via;    ///< Empty: likewise; of a sandbox.
  ip_address to;
  protocol proto = protocol::tcp;
  uint16_t source_port = 0;
  uint16_t port = 0;
};

/// What became of a packet and of the answer to it.
struct simulated_passage {
  bool arrived = false; ///< Somebody has it.
  bool answered = false;
  bool refused = false; ///< It came to the host, where nobody has the port.
  bool proxied = false; ///< A process of the host has passed it on.
  uint64_t at = 0;      ///< Inode of the server's namespace; 0: a neighbour.
  ip_address seen_as;   ///< The client's address there.
  uint16_t port = 0;    ///< The server's port.
  /// What the host tracks from now on.
  std::optional<connection_info> tracked;
};

/// The host's process that has a port, e.g. a proxy: where it connects to.
/// Empty: nobody listens.
using simulated_listener
  = std::function<std::optional<std::pair<ip_address, uint16_t>>(
    protocol, const ip_address&, uint16_t)>;

/// Follows packets and the answers to them through a simulated machine: its
/// links, bridges, neighbours, routes, rules, sysctls, connections, and the
/// rules that were loaded into its firewall. Everybody answers on every port,
/// but on the host only who listens.
///
/// Not there: what others have in their firewalls, VLANs, learned neighbours
/// and forwarding entries (whoever has an address is found), forwarding by a
/// sandbox, and packets other than of TCP and UDP.
class simulated_forwarding {
public:
  /// @param machine outlives this object.
  /// Errors: `unsupported` for rules that this does not understand.
  static result<simulated_forwarding> of(const simulated_view& machine);

  ~simulated_forwarding();
  simulated_forwarding(simulated_forwarding&&) noexcept;
  simulated_forwarding& operator=(simulated_forwarding&&) noexcept;

  /// @param known connections that the packet may belong to.
  simulated_passage
  pass(const simulated_packet& packet, std::span<const connection_info> known,
       const simulated_listener& listener) const;

private:
  struct impl;
  explicit simulated_forwarding(std::unique_ptr<impl> x);

  std::unique_ptr<impl> impl_;
};

} // namespace troupe::netns
