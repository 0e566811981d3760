#pragma once

#include "troupe/netns/kernel.hpp"
#include "troupe/netns/real/message.hpp"

/// Requests about links, and what their answers say. Private to netns.
namespace troupe::netns {

netlink_message new_bridge(const bridge_request& request);

/// @param peer_namespace A descriptor of it.
netlink_message new_veth(const veth_request& request, int peer_namespace);

/// What a new host end needs that the kernel takes only from links that exist:
/// its alias and, if there is IPv6, that it makes itself no link-local address.
netlink_message
complete_veth(int index, const std::string& alias, bool with_ipv6);

netlink_message change_link(int index, const link_change& change);
netlink_message change_port(int index, const port_flags& flags);

/// Sets whether the next IPv4 address of a subnet becomes its first one when
/// that is deleted: the sysctl `promote_secondaries` of the link.
netlink_message change_promotion(int index, bool on);

netlink_message bind_mac(int index, const mac_address& mac);
netlink_message remove_link(int index);
netlink_message remove_group(uint32_t group);

/// @param index 0 for all links, as a dump.
netlink_message ask_link(int index);
netlink_message ask_link(const std::string& name);
netlink_message ask_statistics(int index);

link_info read_link(const nlmsghdr& message);

/// What `change_promotion` sets.
bool read_promotion(const nlmsghdr& message);

link_statistics read_statistics(const nlmsghdr& message);

} // namespace troupe::netns
