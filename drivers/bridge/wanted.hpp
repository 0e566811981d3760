#pragma once

#include "troupe/drivers/bridge/options.hpp"
#include "troupe/drivers/driver.hpp"
#include "troupe/drivers/inside/paths.hpp"

#include <string>
#include <vector>

namespace troupe::drivers {

/// How a network's bridge is to be, everything decided.
struct wanted_bridge {
  std::string id;             ///< The network's.
  std::string name;           ///< Of the interface.
  bool is_named = false;      ///< By the user; it may be the user's own bridge.
  bool is_users = false;      ///< It was there before the network.
  bool has_ipv6 = false;      ///< IPv6 is on on the bridge.
  bool forwards_ipv4 = false; ///< Its packets are to leave it.
  mac_address mac;            ///< Of a bridge of ours.
  uint32_t mtu_bytes = 0;     ///< Of a bridge of ours.
  std::vector<interface_address> addresses;    ///< Gateways of the containers.
  std::optional<interface_address> link_local; ///< Of a bridge with IPv6.
};

/// How an endpoint's veth pair is to be, everything decided.
struct wanted_endpoint {
  std::string id;      ///< The endpoint's.
  std::string network; ///< Id of its network.
  std::string name;    ///< Host end.
  std::string bridge;  ///< Its master.
  std::string alias;   ///< Host end.
  mac_address host_mac;
  uint32_t group = 0; ///< Host end.
  uint32_t mtu_bytes = 0;
  netns::port_flags flags;
  netns::namespace_ref ns;          ///< Where the peer is.
  std::string interface;            ///< Peer.
  mac_address mac;                  ///< Peer.
  bool has_ipv6 = false;            ///< IPv6 is on on the peer.
  wanted_paths paths;               ///< Its addresses, and the ways from them.
  std::vector<ip_address> gateways; ///< Those on the bridge.
};

/// Name of the network's bridge: the user's or generated; empty if the options
/// are wrong or there is no id.
std::string network_bridge(const network_spec& network);

/// Pure. Errors: `invalid_argument` (options; an IPv4 network without a pool).
result<wanted_bridge> want_bridge(const network_spec& network);

/// Pure. Errors: `invalid_argument`; `forbidden` in the host's namespace.
result<wanted_endpoint>
want_endpoint(const instance& owner, const endpoint_plan& plan);

} // namespace troupe::drivers
