#pragma once

#include "troupe/config/model/address.hpp"
#include "troupe/config/model/error.hpp"
#include "troupe/netns/kernel.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace troupe::netns {

/// A link as the audit sees it.
struct audit_link {
  std::string name;
  std::string kind;   ///< `bridge`, `veth`, …; empty for loopback.
  std::string master; ///< Name of its bridge; empty if none.
  std::string alias;
  uint32_t group = 0;
  uint32_t mtu_bytes = 0;
  bool up = false;
  mac_address mac;
  std::vector<interface_address> addresses; ///< Without link-local IPv6.
  int index = 0;
  bool isolated = false; ///< As a port of its bridge.
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
};

/// What the kernel has: the links of the host's namespace, and every pin.
struct audit_view {
  std::vector<audit_link> links;
  std::vector<audit_pin> pins;
  /// What `nft` prints of our tables, in JSON; empty: there are none. Nothing:
  /// it was not asked, or does not work here.
  std::optional<std::vector<std::string>> rules;
};

/// Reads the kernel for the doctor. Shares no code with `netlink_kernel`, so
/// that a mistake there does not hide itself: own sockets, own parsing.
/// @param table Name of our tables in the firewall; empty: they are not read.
/// @thread_safety Any thread; the calling thread's namespace is the host's.
/// Errors: `internal` when something cannot be read; never a part.
result<audit_view>
read_audit(const std::string& pin_dir, const std::string& table = {});

} // namespace troupe::netns
