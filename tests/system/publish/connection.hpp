#pragma once

#include "troupe/tests/system/firewall/traffic.hpp"

#include <cstdint>
#include <string>
#include <utility>

namespace troupe::test {

/// A TCP socket, or none; closed at the end.
class connection {
public:
  explicit connection(int fd = -1) : fd_{fd} {
  }
  ~connection();
  connection(connection&& other) noexcept : fd_{std::exchange(other.fd_, -1)} {
  }
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;

  bool is_open() const {
    return fd_ >= 0;
  }

  /// @returns false if not all of it was taken.
  bool say(const std::string& text) const;

  /// What comes within two seconds; empty: nothing, or the end.
  std::string hear() const;

  /// Neither takes nor sends any more.
  void hang_up() const;

  /// Of a listening socket: the next client within two seconds.
  connection accept() const;

private:
  int fd_;
};

/// Connects to an IPv4 address within two seconds.
connection
connect_from(const place& where, const std::string& address, uint16_t port);

/// Listens at every IPv4 address.
connection listen_in(const place& where, uint16_t port);

} // namespace troupe::test
