#pragma once

#include "troupe/tools/adapter/attachment.hpp"
#include "troupe/tools/cni/config.hpp"

#include <optional>
#include <string>
#include <vector>

namespace troupe::cni {

/// An interface of a result.
struct result_interface {
  std::string name;
  std::string mac;
  uint32_t mtu = 0;    ///< 0: not known.
  std::string sandbox; ///< Empty: the host's.
};

/// What was made, without the form of a version.
struct addition {
  std::vector<result_interface> interfaces; ///< The container's is the last.
  std::vector<interface_address> addresses; ///< All on the container's.
  std::optional<ip_address> gateway;
  std::optional<ip_address> gateway_v6;
  bool gives_default_v4 = false;
  bool gives_default_v6 = false;
  dns_fields dns;
};

/// MAC address and MTU of a link in the caller's namespace, where they can be
/// read.
result_interface link_on_host(const std::string& name);

/// @param sandbox as the runtime gave it.
addition
addition_of(const adapter::attached& what, const network_status& network,
            const std::string& sandbox, const dns_fields& dns);

/// The result in the form of a version, what was there before in front.
/// @param previous null if there was nothing.
json result_of(const addition& x, const std::string& version, json previous);

/// The error in the form of all versions.
json error_of(const failure& why, const std::string& version);

/// The answer to VERSION.
json versions_of(const std::string& asked);

} // namespace troupe::cni
