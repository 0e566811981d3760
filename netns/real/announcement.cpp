#include "troupe/netns/real/announcement.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>

#include <arpa/inet.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace troupe::netns {

namespace {

using bytes = std::vector<uint8_t>;

constexpr auto mac_to_all
  = std::array<uint8_t, 6>{0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

// Answers to a neighbour solicitation have this hop limit.
constexpr auto most_hops = 255;

void put(bytes& out, std::span<const uint8_t> x) {
  out.insert(out.end(), x.begin(), x.end());
}

// Two bytes in network order.
void put_u16(bytes& out, size_t x) {
  out.push_back(static_cast<uint8_t>(x >> 8));
  out.push_back(static_cast<uint8_t>(x));
}

void put_address(bytes& out, const ip_address& x) {
  put(out, std::span{x.bytes()}.first(x.is_v4() ? 4 : 16));
}

bytes arp_request(const neighbour_info& x) {
  auto out = bytes{};
  put(out, mac_to_all);
  put(out, x.mac.bytes);
  put_u16(out, ETH_P_ARP);
  put_u16(out, ARPHRD_ETHER);
  put_u16(out, ETH_P_IP);
  out.push_back(6);
  out.push_back(4);
  put_u16(out, ARPOP_REQUEST);
  put(out, x.mac.bytes);
  put_address(out, x.address);
  put(out, mac_address{}.bytes);
  put_address(out, x.address);
  return out;
}

// The kernel fills the checksum in.
bytes advertisement(const neighbour_info& x) {
  auto out = bytes{ND_NEIGHBOR_ADVERT, 0, 0, 0, 0x20 /* override */, 0, 0, 0};
  put_address(out, x.address);
  put(out, std::array<uint8_t, 2>{ND_OPT_TARGET_LINKADDR, 1});
  put(out, x.mac.bytes);
  return out;
}

result<void> send(int socket, const bytes& data, const sockaddr* to,
                  socklen_t length, const std::string& operation) {
  auto sent
    = ::sendto(socket, data.data(), data.size(), MSG_DONTWAIT, to, length);
  if (sent < 0 && errno == ENXIO)
    errno = ENODEV; // What rtnetlink says of a link that is not there.
  if (sent < 0)
    return fail(os_failure(errno, operation));
  return {};
}

} // namespace

result<void> send_arp(int socket, const neighbour_info& x) {
  auto to = sockaddr_ll{};
  to.sll_family = AF_PACKET;
  to.sll_protocol = htons(ETH_P_ARP);
  to.sll_ifindex = x.index;
  to.sll_halen = ETH_ALEN;
  return send(socket, arp_request(x), reinterpret_cast<const sockaddr*>(&to),
              sizeof to, "announce " + to_string(x.address));
}

result<void> send_advertisement(int socket, const neighbour_info& x) {
  auto operation = "announce " + to_string(x.address);
  auto from = sockaddr_in6{};
  from.sin6_family = AF_INET6;
  std::ranges::copy(x.address.bytes(), from.sin6_addr.s6_addr);
  if (::setsockopt(socket, IPPROTO_IPV6, IPV6_MULTICAST_IF, &x.index,
                   sizeof x.index)
        != 0
      || ::setsockopt(socket, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &most_hops,
                      sizeof most_hops)
           != 0
      || ::bind(socket, reinterpret_cast<const sockaddr*>(&from), sizeof from)
           != 0)
    return fail(os_failure(errno, operation));
  auto to = sockaddr_in6{};
  to.sin6_family = AF_INET6;
  to.sin6_addr = in6addr_any;
  to.sin6_addr.s6_addr[0] = 0xff; // ff02::1, every node of the link.
  to.sin6_addr.s6_addr[1] = 0x02;
  to.sin6_addr.s6_addr[15] = 1;
  to.sin6_scope_id = static_cast<uint32_t>(x.index);
  return send(socket, advertisement(x), reinterpret_cast<const sockaddr*>(&to),
              sizeof to, operation);
}

} // namespace troupe::netns
