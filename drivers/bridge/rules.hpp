#pragma once

#include "troupe/drivers/driver.hpp"

#include <span>

/// What bridge networks want of the firewall. Pure functions; the ruleset is
/// netns/firewall/ruleset.nft.
namespace troupe::drivers {

/// Isolation, gateway mode and source addresses of a network.
result<firewall_elements> bridge_network_elements(const network_spec& network);

/// Spoofing guard and ports of an endpoint.
result<firewall_elements>
bridge_endpoint_elements(const network_spec& network,
                         const endpoint_spec& endpoint,
                         std::span<const port_binding> bindings);

/// How a port is reached. IPv6 host addresses lead to a container without IPv6
/// through the proxy, loopback addresses as well; and every other address for
/// whoever has no other way: the host from its own loopback address, clients
/// with a link-local one, containers of a network whose ICC is off.
port_delivery
bridge_delivery(const network_spec& network, const endpoint_spec& endpoint,
                const port_binding& binding);

/// `none` on internal networks and for a family that the network has not;
/// IPv6 on an IPv4 network in mode nat is `nat`: the proxy serves it.
publish_mode bridge_publishing(const network_spec& network, ip_family family);

/// The option `host_binding_ipv4`, or nothing.
std::optional<ip_address> bridge_publish_address(const network_spec& network);

/// False for internal networks and families that the network has not.
bool bridge_needs_forwarding(const network_spec& network, ip_family family);

} // namespace troupe::drivers
