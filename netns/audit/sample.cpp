#include "troupe/netns/audit/sample.hpp"

#include <cstring>

#include <netinet/in.h>

namespace troupe::netns {

namespace {

using content = sample_packet::content;

// The hardware addresses in it are not known.
std::string arp_header(const sample_packet& x) {
  auto result = std::string{"\0\1\x08\0\6\4\0\1", 8};
  result.resize(28);
  result[7] = x.established ? '\2' : '\1';
  std::memcpy(result.data() + 14, x.source.bytes().data(), 4);
  std::memcpy(result.data() + 24, x.destination.bytes().data(), 4);
  return result;
}

} // namespace

ip_address outsider(ip_family family) {
  return *ip_address::parse(family == ip_family::v4
                              ? "93.184.215.14"
                              : "2606:2800:21f:cb07:6820:80da:af6b:8b2c");
}

uint8_t ip_number(protocol x) {
  switch (x) {
  case protocol::udp:
    return IPPROTO_UDP;
  case protocol::sctp:
    return IPPROTO_SCTP;
  default:
    return IPPROTO_TCP;
  }
}

uint8_t ip_protocol(const sample_packet& x) {
  return x.what == content::neighbour ? uint8_t{IPPROTO_ICMPV6}
                                      : ip_number(x.proto);
}

std::string network_header(const sample_packet& x) {
  if (x.what == content::arp)
    return arp_header(x);
  auto is_v4 = x.source.is_v4();
  auto result = std::string(is_v4 ? 20 : 40, '\0');
  auto put = [&](size_t offset, const ip_address& address) {
    std::memcpy(result.data() + offset, address.bytes().data(), is_v4 ? 4 : 16);
  };
  result[0] = is_v4 ? '\x45' : '\x60';
  auto size = htons(static_cast<uint16_t>(is_v4 ? x.size : x.size - 40));
  std::memcpy(result.data() + (is_v4 ? 2 : 4), &size, sizeof size);
  result[is_v4 ? 9 : 6] = static_cast<char>(ip_protocol(x));
  result[is_v4 ? 8 : 7]
    = static_cast<char>(x.what == content::neighbour ? 255 : 64);
  put(is_v4 ? 12 : 8, x.source);
  put(is_v4 ? 16 : 24, x.destination);
  return result;
}

std::string transport_header(const sample_packet& x) {
  auto result = std::string(20, '\0');
  if (x.what == content::neighbour) {
    result[0] = static_cast<char>(x.established ? 136 : 135);
    return result;
  }
  auto source = htons(x.source_port);
  auto destination = htons(x.destination_port);
  std::memcpy(result.data(), &source, sizeof source);
  std::memcpy(result.data() + 2, &destination, sizeof destination);
  if (x.proto == protocol::tcp) {
    result[12] = '\x50';
    result[13] = x.established ? '\x12' : '\x02'; // SYN and ACK, SYN.
  }
  return result;
}

} // namespace troupe::netns
