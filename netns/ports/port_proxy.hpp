#pragma once

#include "troupe/netns/ports/port_sockets.hpp"

#include <memory>
#include <optional>
#include <set>
#include <span>
#include <tuple>
#include <vector>

namespace troupe::netns {

/// A host port as the proxy has it.
struct proxy_port {
  protocol proto = protocol::tcp;
  ip_address host_ip;
  uint16_t host_port = 0;

  /// Where connections go; empty: the port is only held.
  std::optional<ip_address> target;
  uint16_t target_port = 0;

  /// `0.0.0.0` and `::` of this number have one socket together.
  bool shared = false;

  bool operator==(const proxy_port&) const = default;
};

/// Do the two mean the same socket?
inline bool same_socket(const proxy_port& a, const proxy_port& b) {
  return a.proto == b.proto && a.host_ip == b.host_ip
         && a.host_port == b.host_port;
}

/// Orders ports by their socket.
struct by_socket {
  bool operator()(const proxy_port& a, const proxy_port& b) const {
    return std::tie(a.host_port, a.proto, a.host_ip)
           < std::tie(b.host_port, b.proto, b.host_ip);
  }
};

/// Ports, each socket once.
using port_set = std::set<proxy_port, by_socket>;

enum class proxy_health : uint8_t {
  well,
  stopped, ///< By a signal, e.g. SIGSTOP.
  absent,  ///< Never started, or gone.
};

/// The process that holds all host ports and serves those that the firewall
/// cannot lead to their container. It outlives the daemon.
///
/// Contract: *blocking*, a few milliseconds at most unless the process has to
/// be started; one caller at a time.
class port_proxy {
public:
  virtual ~port_proxy() = default;

  /// How it is. Asks the kernel and not the proxy, so that one that does not
  /// answer keeps nobody waiting.
  virtual proxy_health health() = 0;

  /// Lets one that was stopped go on. Errors: EPERM; ESRCH.
  virtual result<void> wake() = 0;

  /// All ports that the proxy has; none if it is not there.
  virtual result<std::vector<proxy_port>> list() = 0;

  /// Hands sockets over, all or nothing. A port that is there already gets the
  /// new target; its connections stay. @pre the lengths are equal; a socket
  /// may be null if the proxy has the port. A shared socket comes with `::`;
  /// `0.0.0.0` follows right after it without one.
  virtual result<void> add(std::span<const proxy_port> ports,
                           std::span<const std::shared_ptr<held_port>> sockets)
    = 0;

  /// Sends sockets as `add` does and does not wait, so that the proxy works
  /// while others are bound. `finish_add` must follow.
  /// @returns false if nothing was sent: they are too many, or the proxy is not
  ///   there and would have to be started.
  virtual bool begin_add(std::span<const proxy_port> ports,
                         std::span<const std::shared_ptr<held_port>> sockets)
    = 0;

  /// Waits for what was begun. On error some of it may be there: `add` of all
  /// of it, or `remove`, settles that.
  virtual result<void> finish_add() = 0;

  /// Closes sockets and their connections; done for ports that are not there.
  /// Who shared a socket with a removed port is without: it is not listed, and
  /// keeps its connections until `add` gives it another.
  virtual result<void> remove(std::span<const proxy_port> ports) = 0;
};

} // namespace troupe::netns
