#pragma once

#include "troupe/netns/kernel.hpp"

#include <cstdint>
#include <vector>

/// Telling neighbours who has an address. Private to netns.
namespace troupe::netns {

/// The Ethernet frame that says it to everybody: a gratuitous ARP request
/// (RFC 5227, section 3), or an unsolicited neighbour advertisement that
/// overrides what is known (RFC 4861, section 7.2.6).
std::vector<uint8_t> announcement(const neighbour_info& x);

/// Sends it through the link, in the namespace.
/// @param ns A descriptor of the namespace.
result<void> send_announcement(int ns, const neighbour_info& x);

} // namespace troupe::netns
