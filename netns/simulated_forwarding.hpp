#pragma once

#include "troupe/config/model/port.hpp"
#include "troupe/netns/simulated_kernel.hpp"

#include <functional>
#include <optional>
#include <span>
#include <string>

namespace troupe::netns {

/// A connection that the host tracks.
struct simulated_connection {
  protocol proto = protocol::tcp;
  ip_address client; ///< Before translation.
  uint16_t client_port = 0;
  ip_address host; ///< What it was made to, before translation.
  uint16_t host_port = 0;
  ip_address server; ///< After translation.
  uint16_t server_port = 0;
  bool source_translated = false; ///< The server sees another client.
  bool answered = false;          ///< The server has sent something.

  bool destination_translated() const {
    return host != server || host_port != server_port;
  }
};

/// The first packet of a connection, or one of a connection that is tracked.
struct simulated_packet {
  /// The inode of the sender's namespace; 0: a neighbour of the host beyond
  /// the link `beyond`.
  uint64_t from = 0;
  std::string beyond;
  std::optional<ip_address> source; ///< Empty: as the routes say.
  ip_address to;
  protocol proto = protocol::tcp;
  uint16_t source_port = 0;
  uint16_t port = 0;
};

/// What became of a packet and of the answer to it.
struct simulated_passage {
  bool answered = false;
  uint64_t at = 0;    ///< Inode of the server's namespace; 0: a neighbour.
  ip_address seen_as; ///< The client's address there.
  uint16_t port = 0;  ///< The server's port.
  /// What the host tracks from now on.
  std::optional<simulated_connection> tracked;
};

/// The host's process that has a port, e.g. a proxy: where it connects to.
/// Empty: nobody listens.
using simulated_listener
  = std::function<std::optional<std::pair<ip_address, uint16_t>>(
    protocol, const ip_address&, uint16_t)>;

/// Follows a packet and the answer to it through the simulated machine: its
/// links, bridges, neighbours, routes, rules, sysctls, firewall and tracked
/// connections; the rules of ruleset.nft are spelt out once more. Everybody
/// answers on every port, but on the host only who listens.
simulated_passage
would_pass(const simulated_view& machine,
           std::span<const simulated_connection> tracked,
           const simulated_packet& packet, const simulated_listener& listener);

} // namespace troupe::netns
