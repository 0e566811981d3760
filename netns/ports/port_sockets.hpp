#pragma once

#include "troupe/config/model/port.hpp"

#include <bitset>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace troupe::netns {

/// A host port that is ours as long as this object lives: a bound and, where
/// the protocol knows that, listening socket.
class held_port {
public:
  virtual ~held_port() = default;

  /// The socket; -1 if the kernel has none for this protocol.
  virtual int descriptor() const = 0;
};

/// Where the kernel itself takes ports from.
struct port_limits {
  uint16_t first = 49'153;
  uint16_t last = 65'535;
  std::bitset<65'536> reserved; ///< Never taken automatically.
  /// Files that a process may have open, of which each port held is one.
  size_t descriptors = 1'048'576;
};

/// A process on this host that has a port.
struct port_user {
  std::string name; ///< Empty if it could not be found.
  int pid = 0;

  /// Inode of the socket, as /proc/PID/fd shows it.
  uint64_t inode = 0;
};

/// Takes host ports from the kernel, in the namespace of the thread that made
/// the object.
class port_sockets {
public:
  virtual ~port_sockets() = default;

  /// Takes one port. An IPv6 socket is for IPv6 only.
  /// @param silent the kernel drops what arrives: nobody is going to serve it.
  ///        Otherwise it waits in the socket.
  /// Errors: EADDRINUSE;
  /// EADDRNOTAVAIL (no such address on this host); EAFNOSUPPORT (no IPv6);
  /// EPROTONOSUPPORT (no SCTP); EACCES; EMFILE, ENFILE, ENOBUFS, ENOMEM.
  virtual result<std::shared_ptr<held_port>>
  hold(protocol proto, const ip_address& address, uint16_t port,
       bool silent = true)
    = 0;

  /// Takes one port at all addresses of both families with a single socket,
  /// which costs half of what two do. Errors: as of `hold`.
  virtual result<std::shared_ptr<held_port>>
  hold_both(protocol proto, uint16_t port, bool silent = true) = 0;

  /// Can a socket be bound to an address of that family?
  virtual bool has_family(ip_family family) = 0;

  /// The kernel's settings now.
  virtual port_limits limits() = 0;

  /// Who has a port that could not be taken; searched for in the kernel's
  /// sockets and in /proc. Empty if nobody was found.
  virtual std::optional<port_user>
  user_of(protocol proto, const ip_address& address, uint16_t port) = 0;
};

/// Reads lists like `8080,9000-9010` of net.ipv4.ip_local_reserved_ports; what
/// makes no sense is left out.
std::bitset<65'536> parse_reserved_ports(std::string_view text);

/// The real sockets.
std::unique_ptr<port_sockets> make_port_sockets();

} // namespace troupe::netns
