#include "troupe/netns/link_local.hpp"

#include <array>

namespace troupe::netns {

namespace {

constexpr uint8_t subnet_length = 64;

} // namespace

interface_address link_local_of(const mac_address& mac) {
  const auto& x = mac.bytes;
  auto bytes = std::array<uint8_t, 16>{
    0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, x[1], x[2], 0xff, 0xfe, x[3], x[4], x[5]};
  bytes[8] = static_cast<uint8_t>(x[0] ^ 2U);
  return {ip_address::from_bytes(ip_family::v6, bytes.data()), subnet_length};
}

bool is_made_of_mac(const ip_address& x) {
  if (x.is_v4() || !x.is_link_local())
    return false;
  auto bytes = x.bytes();
  return bytes[11] == 0xff && bytes[12] == 0xfe;
}

} // namespace troupe::netns
