#pragma once

#include "troupe/config/model/port.hpp"
#include "troupe/drivers/driver.hpp"
#include "troupe/drivers/publish/allocator.hpp"

#include <optional>
#include <span>
#include <vector>

namespace troupe::drivers {

/// How a network publishes, and what the host can do.
struct publish_options {
  publish_mode mode_v4 = publish_mode::nat;
  publish_mode mode_v6 = publish_mode::nat;

  /// Where ports without a host address are published; empty or `0.0.0.0`: at
  /// all addresses of both families.
  std::optional<ip_address> default_address;

  bool host_ipv6 = true; ///< Filled by the book.
  bool proxy = true;     ///< Filled by the book.

  /// Lead from an IPv6 host address to a container without IPv6, by the proxy.
  bool six_to_four = true;
};

/// The addresses of the container that ports lead to.
struct port_targets {
  std::optional<ip_address> ipv4;
  std::optional<ip_address> ipv6;
};

/// Host addresses that one container port is published at, under one number.
struct port_group {
  protocol proto = protocol::tcp;
  uint16_t port = 0;                 ///< In the container.
  port_range host;                   ///< Both 0: automatic.
  std::vector<ip_address> addresses; ///< Of the host; distinct.
};

/// What a list of wishes means.
struct publish_plan {
  std::vector<port_group> groups;   ///< In the order they must be served in.
  std::vector<port_binding> routed; ///< Without a host port.
};

/// What the network has to say about it.
publish_options
publish_options_of(const driver& how, const network_spec& network);

/// The host addresses of a wish that names none.
std::vector<ip_address>
default_addresses(const port_targets& targets, const publish_options& options);

/// Turns wishes into groups: exact host ports first, then ranges, then
/// automatic ones. Pure. Errors: `invalid_argument` (malformed, more than
/// `max_published_ports`, an IPv6 address for a network that cannot).
result<publish_plan>
plan_ports(std::span<const port_spec> wishes, const port_targets& targets,
           const publish_options& options);

/// Ports that one request may publish: all there are.
inline constexpr size_t max_published_ports = 65'535;

/// The wishes with an automatic one for each exposed port that no wish names.
std::vector<port_spec> with_exposed(std::vector<port_spec> wishes,
                                    std::span<const exposed_port> exposed);

/// Where the proxy leads connections to; empty: the firewall does it alone.
std::optional<ip_address>
proxy_target(const port_binding& binding, const port_targets& targets);

} // namespace troupe::drivers
