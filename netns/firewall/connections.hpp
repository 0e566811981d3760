#pragma once

#include "troupe/netns/kernel.hpp"
#include "troupe/netns/real/message.hpp"

#include <cstdint>
#include <optional>
#include <vector>

/// What is said to connection tracking. Private to netns.
namespace troupe::netns::firewall {

/// Refuses a filter that matches everything, families that differ and a port
/// without a protocol. Errors: `invalid_argument`.
result<void> check_filter(const conntrack_filter& filter);

/// Deletes what matches; two messages for a filter by address.
std::vector<netlink_message> encode(const conntrack_filter& filter);

/// The kernel's own filter compares IPv6 addresses the wrong way round (Linux
/// 5.8 to 6.18 at least): it would forget all others.
bool must_be_listed(const conntrack_filter& filter);

/// A connection, and by what the kernel knows it.
struct tracked_connection {
  connection_info info;
  std::vector<uint8_t> tuple; ///< The kernel's own bytes.
  uint32_t id = 0;
};

/// Asks for the connections of both families.
netlink_message ask_connections();

/// One of the answers; nothing for those of other zones: who made zones knows
/// what they are for.
std::optional<tracked_connection> read_connection(const nlmsghdr& message);

/// Deletes one connection; another one of the same ends is left alone.
netlink_message forget(const tracked_connection& x);

} // namespace troupe::netns::firewall
