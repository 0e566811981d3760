#pragma once

#include "troupe/netns/kernel.hpp"

/// Telling neighbours who has an address. Private to netns.
namespace troupe::netns {

/// Sends a gratuitous ARP request (RFC 5227, section 3) through the link.
/// @param socket A packet socket.
result<void> send_arp(int socket, const neighbour_info& x);

/// Sends an unsolicited neighbour advertisement that overrides what is known
/// (RFC 4861, section 7.2.6) through the link, which has the address.
/// @param socket A raw ICMPv6 socket.
result<void> send_advertisement(int socket, const neighbour_info& x);

} // namespace troupe::netns
