#pragma once

#include "troupe/config/model/address.hpp"

#include "traffic.hpp"
#include <cstdint>
#include <string>
#include <vector>

namespace troupe::test {

using bytes = std::vector<uint8_t>;

/// Joins pieces of a frame.
bytes operator+(bytes x, const bytes& y);

/// An Ethernet header.
bytes ethernet(const mac_address& to, const mac_address& from, uint16_t type);

/// An ARP packet for IPv4. @param operation 1: request, 2: reply.
bytes arp(uint8_t operation, const mac_address& sender_mac,
          const ip_address& sender, const ip_address& target);

/// A UDP header with a payload of 8 bytes.
bytes udp(uint16_t from, uint16_t to);

/// An ICMPv6 message of that type with a target address and no checksum.
bytes icmp6(uint8_t type, const ip_address& target);

/// An IP packet, of the addresses' family.
bytes packet(const ip_address& from, const ip_address& to, uint8_t protocol,
             const bytes& payload);

/// Sends raw frames through an interface.
class frame_socket {
public:
  frame_socket(const place& where, const std::string& interface);
  ~frame_socket();
  frame_socket(const frame_socket&) = delete;
  frame_socket& operator=(const frame_socket&) = delete;

  void send(const bytes& frame) const;

  /// Does a frame with this text in it come within the time?
  bool receives(const std::string& tag, int longest_ms) const;

private:
  int fd_;
};

} // namespace troupe::test
