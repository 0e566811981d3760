#pragma once

#include "troupe/config/model/address.hpp"

#include <cstring>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace troupe::netns {

/// An address and a port as the socket calls want them.
class socket_address {
public:
  /// To be filled by a call; see `data` and `size`.
  socket_address() = default;

  socket_address(const ip_address& address, uint16_t port) {
    if (address.is_v6()) {
      auto in = sockaddr_in6{};
      in.sin6_family = AF_INET6;
      in.sin6_port = htons(port);
      std::memcpy(&in.sin6_addr, address.bytes().data(), 16);
      std::memcpy(&storage_, &in, sizeof(in));
      size_ = sizeof(in);
    } else {
      auto in = sockaddr_in{};
      in.sin_family = AF_INET;
      in.sin_port = htons(port);
      std::memcpy(&in.sin_addr, address.bytes().data(), 4);
      std::memcpy(&storage_, &in, sizeof(in));
      size_ = sizeof(in);
    }
  }

  const sockaddr* data() const {
    return reinterpret_cast<const sockaddr*>(&storage_);
  }
  sockaddr* data() {
    return reinterpret_cast<sockaddr*>(&storage_);
  }
  socklen_t size() const {
    return size_;
  }

private:
  sockaddr_storage storage_{};
  socklen_t size_ = 0;
};

} // namespace troupe::netns
