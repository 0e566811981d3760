#pragma once

#include "troupe/config/model/error.hpp"

#include <string>
#include <string_view>

namespace troupe::tools {

/// Tells the service manager how we are: systemd's notification protocol,
/// without its library. Does nothing without a socket.
class notifier {
public:
  /// @param socket the value of NOTIFY_SOCKET: an absolute path, or `@` and an
  /// abstract name; empty: there is no manager.
  explicit notifier(std::string socket) : socket_{std::move(socket)} {
  }

  /// Reads NOTIFY_SOCKET.
  static notifier from_environment();

  /// Sends lines of assignments, e.g. `READY=1\nSTATUS=serving`.
  /// Errors: `invalid_argument` for a socket name that is none; those of
  /// sendto.
  result<void> send(std::string_view lines) const;

private:
  std::string socket_;
};

} // namespace troupe::tools
