#include "troupe/tools/troupe-proxy/address.hpp"

#include <cstring>

#include <arpa/inet.h>
#include <netinet/in.h>

namespace troupe::proxy {

address
make_address(uint8_t family, const std::array<uint8_t, 16>& ip, uint16_t port) {
  auto result = address{};
  if (family == 6) {
    auto in = sockaddr_in6{};
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(port);
    std::memcpy(&in.sin6_addr, ip.data(), sizeof(in.sin6_addr));
    std::memcpy(&result.storage, &in, sizeof(in));
    result.size = sizeof(in);
  } else {
    auto in = sockaddr_in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(port);
    std::memcpy(&in.sin_addr, ip.data(), sizeof(in.sin_addr));
    std::memcpy(&result.storage, &in, sizeof(in));
    result.size = sizeof(in);
  }
  return result;
}

address target_of(const netns::proxy_wire::record& x) {
  return make_address(x.target_family, x.target_ip, x.target_port);
}

bool is_mapped(const address& x) {
  if (x.family() != AF_INET6)
    return false;
  auto in = sockaddr_in6{};
  std::memcpy(&in, &x.storage, sizeof(in));
  return IN6_IS_ADDR_V4MAPPED(&in.sin6_addr);
}

bool is_host_address(const address& x, const netns::proxy_wire::record& what) {
  auto wanted = make_address(what.host_family, what.host_ip, what.host_port);
  if (x.family() != wanted.family())
    return false;
  if (x.family() == AF_INET6) {
    auto a = sockaddr_in6{};
    auto b = sockaddr_in6{};
    std::memcpy(&a, &x.storage, sizeof(a));
    std::memcpy(&b, &wanted.storage, sizeof(b));
    return a.sin6_port == b.sin6_port
           && std::memcmp(&a.sin6_addr, &b.sin6_addr, sizeof(a.sin6_addr)) == 0;
  }
  auto a = sockaddr_in{};
  auto b = sockaddr_in{};
  std::memcpy(&a, &x.storage, sizeof(a));
  std::memcpy(&b, &wanted.storage, sizeof(b));
  return a.sin_port == b.sin_port && a.sin_addr.s_addr == b.sin_addr.s_addr;
}

} // namespace troupe::proxy
