#pragma once

#include "troupe/netns/ports/proxy_wire.hpp"

#include <array>
#include <cstdint>

#include <sys/socket.h>

namespace troupe::proxy {

/// A socket address with its length.
struct address {
  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_storage);

  sockaddr* data() {
    return reinterpret_cast<sockaddr*>(&storage);
  }
  const sockaddr* data() const {
    return reinterpret_cast<const sockaddr*>(&storage);
  }
  int family() const {
    return storage.ss_family;
  }
};

/// @param family 4 or 6.
address
make_address(uint8_t family, const std::array<uint8_t, 16>& ip, uint16_t port);

/// Where a record's connections go.
address target_of(const netns::proxy_wire::record& x);

/// Is this an IPv4 address, as a socket of both families sees it?
bool is_mapped(const address& x);

/// Is this the address and port that the record names as its own?
bool is_host_address(const address& x, const netns::proxy_wire::record& what);

} // namespace troupe::proxy
