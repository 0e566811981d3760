#pragma once

#include "troupe/config/model/address.hpp"
#include "troupe/config/model/endpoint.hpp"
#include "troupe/config/model/network.hpp"
#include "troupe/drivers/driver.hpp"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace troupe::drivers {

/// How containers of one family reach the world.
enum class gateway_mode : uint8_t {
  standard,        ///< Not given; libnetwork's default is `nat`.
  nat,             ///< Masqueraded, only published ports are reachable.
  nat_unprotected, ///< As `nat`, other ports are not dropped.
  routed,          ///< No translation.
  isolated,        ///< Internal networks: the bridge has no address.
};

/// The options of a bridge network; see README.md for their labels.
struct bridge_options {
  std::string name;                     ///< Empty: generated from the id.
  bool enable_icc = true;               ///< Ports may talk to each other.
  bool enable_ip_masquerade = true;     ///< Leave with the host's address.
  bool inhibit_ipv4 = false;            ///< No IPv4 gateway on the bridge.
  uint32_t mtu_bytes = 1500;            ///< Bridge and both veth ends.
  std::string interface_prefix = "eth"; ///< Names inside sandboxes.
  std::optional<ip_address> host_binding_ipv4; ///< Ports are published there.
  gateway_mode mode_v4 = gateway_mode::standard;
  gateway_mode mode_v6 = gateway_mode::standard;
  std::optional<ip_address> host_ipv4; ///< Leave with this address instead.
  std::optional<ip_address> host_ipv6; ///< The same, IPv6.
  std::vector<std::string> trusted_interfaces; ///< May reach everything.
  /// Networks whose containers may reach this one's: names of their bridges.
  std::vector<std::string> allowed_networks;
  bool is_users = false;   ///< The bridge was there before the network.
  bool spoof_guard = true; ///< Ports send with their own addresses only.
  announcements announce;  ///< Of its endpoints' addresses.
};

/// Reads and checks the options of a network. Pure. Errors:
/// `invalid_argument` naming option and value; `unsupported` for a value whose
/// effect this version does not have.
result<bridge_options> parse_bridge_options(const network_spec& network);

/// Replaces the names of bridge networks in `allowed_networks` by those of
/// their bridges. Pure. Errors: `invalid_argument` for what is neither, with
/// the nearest name as the hint.
result<void> resolve_allowed_networks(
  network_spec& network,
  std::span<const std::shared_ptr<const network_spec>> others);

/// Refuses misspelt labels. For requests only. Pure.
result<void> check_bridge_labels(const network_spec& network);

/// Adds the option for the MTU if it is not given and this is another one than
/// its default; 0 is none. IPv6 needs 1280. Pure.
void adopt_bridge_mtu(network_spec& network, uint32_t mtu_bytes);

/// Notes that the bridge was there before the network. Pure.
void adopt_user_bridge(network_spec& network);

/// How an endpoint's addresses are announced: its own options come before the
/// network's. Pure.
announcements endpoint_announcements(const network_spec& network,
                                     const endpoint_spec& endpoint);

/// Checks the options of an endpoint. Pure. Errors as above.
result<void> check_bridge_endpoint_options(const endpoint_spec& endpoint);

} // namespace troupe::drivers
