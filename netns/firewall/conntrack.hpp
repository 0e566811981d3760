#pragma once

#include "troupe/netns/kernel.hpp"
#include "troupe/netns/netlink_message.hpp"

#include <optional>

/// Forgetting connections one by one, where the kernel's own filter does not do
/// it: before Linux 6.11 it refuses to delete by part of a tuple (EINVAL).
/// Private to netns.
namespace troupe::netns::firewall {

/// The kernel's filter compares IPv6 addresses the wrong way round (Linux 5.8
/// to 6.18 at least): it would forget all connections but these.
bool must_be_listed(const conntrack_filter& filter);

/// Lists all connections of a family.
netlink_message ask_connections(ip_family family);

/// The request that deletes a listed connection, if that matches.
std::optional<netlink_message>
delete_listed(const nlmsghdr& listed, const conntrack_filter& filter);

} // namespace troupe::netns::firewall
