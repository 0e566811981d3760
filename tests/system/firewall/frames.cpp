#include "frames.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace troupe::test {

namespace {

bytes number(uint16_t x) {
  return {static_cast<uint8_t>(x >> 8U), static_cast<uint8_t>(x)};
}

bytes of(const mac_address& x) {
  return {x.bytes.begin(), x.bytes.end()};
}

bytes of(const ip_address& x) {
  return {x.bytes().begin(), x.bytes().begin() + x.bits() / 8};
}

} // namespace

bytes operator+(bytes x, const bytes& y) {
  x.insert(x.end(), y.begin(), y.end());
  return x;
}

bytes ethernet(const mac_address& to, const mac_address& from, uint16_t type) {
  return of(to) + of(from) + number(type);
}

bytes arp(uint8_t operation, const mac_address& sender_mac,
          const ip_address& sender, const ip_address& target) {
  return bytes{0, 1, 8, 0, 6, 4, 0, operation} + of(sender_mac) + of(sender)
         + bytes(6) + of(target);
}

bytes udp(uint16_t from, uint16_t to) {
  return number(from) + number(to) + number(16) + number(0) + bytes(8);
}

bytes icmp6(uint8_t type, const ip_address& target) {
  return bytes{type, 0, 0, 0, 0, 0, 0, 0} + of(target);
}

bytes packet(const ip_address& from, const ip_address& to, uint8_t protocol,
             const bytes& payload) {
  auto size = payload.size();
  if (from.is_v6())
    return bytes{0x60, 0, 0, 0} + number(static_cast<uint16_t>(size))
           + bytes{protocol, 255} + of(from) + of(to) + payload;
  auto head = bytes{0x45, 0} + number(static_cast<uint16_t>(size + 20))
              + bytes{0, 0, 0, 0, 64, protocol, 0, 0} + of(from) + of(to);
  auto sum = uint32_t{0};
  for (size_t i = 0; i < head.size(); i += 2)
    sum += static_cast<uint32_t>(head[i]) << 8U | head[i + 1];
  while (sum > 0xffff)
    sum = (sum & 0xffffU) + (sum >> 16U);
  auto check = number(static_cast<uint16_t>(~sum));
  std::ranges::copy(check, head.begin() + 10);
  return head + payload;
}

frame_socket::frame_socket(const place& where, const std::string& interface)
  : fd_(open_socket(where, AF_PACKET, SOCK_RAW, htons(ETH_P_ALL))) {
  EXPECT_GE(fd_, 0);
  auto request = ifreq{};
  interface.copy(request.ifr_name, IFNAMSIZ - 1);
  EXPECT_EQ(ioctl(fd_, SIOCGIFINDEX, &request), 0) << interface;
  auto address = sockaddr_ll{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = request.ifr_ifindex;
  EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address),
            0);
}

frame_socket::~frame_socket() {
  close(fd_);
}

void frame_socket::send(const bytes& frame) const {
  EXPECT_EQ(::send(fd_, frame.data(), frame.size(), 0),
            static_cast<ssize_t>(frame.size()))
    << std::strerror(errno);
}

bool frame_socket::receives(const std::string& tag, int longest_ms) const {
  auto until
    = std::chrono::steady_clock::now() + std::chrono::milliseconds{longest_ms};
  while (std::chrono::steady_clock::now() < until) {
    auto polled = pollfd{fd_, POLLIN, 0};
    poll(&polled, 1, 5);
    auto buffer = std::array<char, 2048>{};
    auto size = recv(fd_, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (size > 0
        && std::string_view{buffer.data(), static_cast<size_t>(size)}.find(tag)
             != std::string_view::npos)
      return true;
  }
  return false;
}

} // namespace troupe::test
