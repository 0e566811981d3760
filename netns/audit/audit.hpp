#pragma once

#include "troupe/config/model/address.hpp"
#include "troupe/config/model/error.hpp"
#include "troupe/config/model/port.hpp"
#include "troupe/netns/kernel.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace troupe::netns {

/// A link as the audit sees it.
struct audit_link : link_info {
  std::string bridge; ///< Name of its master; empty if it has none.
  std::vector<interface_address> addresses; ///< Without link-local IPv6.
  uint16_t type = 0;                        ///< As ARPHRD_ETHER.
};

/// A network as far as packets to and from it are concerned.
struct promised_network {
  /// A port of an endpoint that others may reach.
  struct published_port {
    protocol proto = protocol::tcp;
    uint16_t port = 0; ///< The endpoint's own.
    ip_address host_ip;
    uint16_t host_port = 0;  ///< 0: none, its own port is open (routed).
    bool translated = false; ///< By our rules.
    bool proxied = false;    ///< By `troupe-proxy`, where rules do not.
  };

  /// An endpoint that is in a sandbox.
  struct member {
    std::string title; ///< For messages.
    std::string port;  ///< Its link on the host.
    std::vector<ip_address> addresses;
    std::optional<mac_address> mac; ///< Empty: any.
    std::vector<published_port> published;
  };

  std::string title; ///< For messages.
  std::string bridge;
  uint32_t group = 0; ///< Of the bridge, unless the user has made it.
  std::vector<prefix> subnets;
  std::vector<interface_address> gateways; ///< Those on the bridge.
  bool leaves_ipv4 = false; ///< Its packets are forwarded by the host.
  bool leaves_ipv6 = false;
  bool masquerades_ipv4 = false; ///< They leave with an address of the host.
  bool masquerades_ipv6 = false;
  bool is_one = false; ///< Its members reach each other directly.
  std::vector<member> members;
};

/// Something on the host, beside our own links and rules, that keeps promised
/// traffic from flowing.
struct obstruction {
  enum class owner : uint8_t {
    ours,    ///< Ours to mend.
    setting, ///< The host's; ours if the user's settings say so.
    others,  ///< Somebody else's: may be meant.
  };

  owner whose = owner::others;
  std::string object;
  std::string problem;
  std::string command; ///< What the user can do.

  auto operator<=>(const obstruction&) const = default;
  bool operator==(const obstruction&) const = default;
};

/// A pinned namespace as the audit sees it.
struct audit_pin {
  std::string name;
  uint64_t inode = 0; ///< 0 if the file is no namespace any more.
  std::vector<audit_link> links;
  std::optional<ip_address> gateway;    ///< Of our IPv4 default route.
  std::optional<ip_address> gateway_v6; ///< Of our IPv6 default route.
  std::vector<route_info> routes; ///< Of all tables, the kernel's own as well.
  std::vector<rule_info> rules;   ///< But for the kernel's.
  /// Commands that give back rules of the kernel's own; each names its family
  /// by `ip` or `ip -6`.
  std::vector<std::string> lost_rules;
  std::vector<neighbour_info> neighbours; ///< Who is known to have addresses.
};

/// What the kernel has: the links of the host's namespace, and every pin.
struct audit_view {
  std::vector<audit_link> links;
  std::vector<route_info> routes;         ///< As those of a pin.
  std::vector<neighbour_info> neighbours; ///< Likewise.
  std::vector<audit_pin> pins;
  /// What `nft` prints of our tables, in JSON; empty: there are none. Nothing:
  /// it was not asked, or does not work here.
  std::optional<std::vector<std::string>> rules;
  std::vector<obstruction> obstructions;
};

/// `obstructions` alone. Errors: as below.
result<std::vector<obstruction>>
read_obstructions(std::span<const promised_network> networks);

/// Reads the kernel for the doctor. Shares no code with `netlink_kernel`, so
/// that a mistake there does not hide itself: own sockets, own parsing.
/// @param networks What is promised, for `obstructions`.
/// @param table Name of our tables in the firewall; empty: they are not read.
/// @thread_safety Any thread; the calling thread's namespace is the host's.
/// Errors: `internal` when something cannot be read; never a part.
result<audit_view> read_audit(const std::string& pin_dir,
                              std::span<const promised_network> networks = {},
                              const std::string& table = {});

} // namespace troupe::netns
