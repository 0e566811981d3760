#include "troupe/netns/announcement.hpp"

#include "troupe/netns/namespace.hpp"

#include <cerrno>
#include <initializer_list>
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

// ff02::1, every node of the link, and what it is in Ethernet.
constexpr auto all_nodes
  = std::array<uint8_t, 16>{0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
constexpr auto mac_to_all_nodes
  = std::array<uint8_t, 6>{0x33, 0x33, 0, 0, 0, 1};

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

// The Internet checksum (RFC 1071).
uint16_t checksum(std::span<const uint8_t> data) {
  auto sum = uint32_t{0};
  for (size_t i = 0; i + 1 < data.size(); i += 2)
    sum += static_cast<uint32_t>(data[i] << 8 | data[i + 1]);
  while (sum >> 16 != 0)
    sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

bytes advertisement(const neighbour_info& x) {
  auto body = bytes{ND_NEIGHBOR_ADVERT, 0, 0, 0, 0x20 /* override */, 0, 0, 0};
  put_address(body, x.address);
  put(body, std::array<uint8_t, 2>{ND_OPT_TARGET_LINKADDR, 1});
  put(body, x.mac.bytes);
  // What the checksum covers: addresses, length, protocol, the message.
  auto covered = bytes{};
  put_address(covered, x.address);
  put(covered, all_nodes);
  put_u16(covered, 0);
  put_u16(covered, body.size());
  put_u16(covered, 0);
  put_u16(covered, IPPROTO_ICMPV6);
  put(covered, body);
  auto sum = checksum(covered);
  body[2] = static_cast<uint8_t>(sum >> 8);
  body[3] = static_cast<uint8_t>(sum);
  auto out = bytes{};
  put(out, mac_to_all_nodes);
  put(out, x.mac.bytes);
  put_u16(out, ETH_P_IPV6);
  put(out, std::array<uint8_t, 4>{0x60, 0, 0, 0});
  put_u16(out, body.size());
  out.push_back(IPPROTO_ICMPV6);
  out.push_back(255);
  put_address(out, x.address);
  put(out, all_nodes);
  put(out, body);
  return out;
}

} // namespace

std::vector<uint8_t> announcement(const neighbour_info& x) {
  return x.address.is_v4() ? arp_request(x) : advertisement(x);
}

result<void> send_announcement(int ns, const neighbour_info& x) {
  auto operation = "announce " + to_string(x.address);
  auto socket = open_in(
    ns,
    [] {
      return unique_fd{::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0)};
    },
    operation);
  if (!socket)
    return fail(std::move(socket.error()));
  auto frame = announcement(x);
  auto to = sockaddr_ll{};
  to.sll_family = AF_PACKET;
  to.sll_protocol = htons(x.address.is_v4() ? ETH_P_ARP : ETH_P_IPV6);
  to.sll_ifindex = x.index;
  to.sll_halen = ETH_ALEN;
  auto sent = ::sendto(socket->get(), frame.data(), frame.size(), MSG_DONTWAIT,
                       reinterpret_cast<const sockaddr*>(&to), sizeof to);
  if (sent < 0 && errno == ENXIO)
    errno = ENODEV; // What rtnetlink says of a link that is not there.
  if (sent < 0)
    return fail(os_failure(errno, operation));
  return {};
}

} // namespace troupe::netns
