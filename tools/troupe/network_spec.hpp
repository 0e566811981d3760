#pragma once

#include "troupe/config/model/endpoint.hpp"
#include "troupe/config/model/network.hpp"

#include <string>
#include <vector>

namespace troupe::tools {

/// The texts of `network create`.
struct network_flags {
  std::string name;
  std::string driver = "bridge";
  std::string ipam_driver = "default";
  std::vector<std::string> subnets;
  std::vector<std::string> ip_ranges;
  std::vector<std::string> gateways;
  std::vector<std::string> aux_addresses; ///< `name=address`.
  bool ipv6 = false;
  bool no_ipv4 = false;
  bool internal = false;
  std::vector<std::string> labels;
  std::vector<std::string> options;
};

/// Checks the texts and assigns ranges, gateways and auxiliary addresses to
/// the subnets that contain them. An IPv6 subnet implies IPv6.
/// Errors: `invalid_argument`, naming the option and its value.
result<network_spec> make_network_spec(const network_flags& flags);

/// The texts of `endpoint create` and `attach`.
struct endpoint_flags {
  std::string name; ///< May be empty for `attach`.
  std::string ip;
  std::string ip6;
  std::string mac;
  int priority = 0;
  std::vector<std::string> labels;
  std::vector<std::string> options;
  std::vector<std::string> publish; ///< As `parse_port_spec` reads them.
  std::vector<std::string> expose;  ///< `PORT[/PROTOCOL]`.
  bool publish_all = false;
};

/// Reads `-p` options. Errors: `invalid_argument`, naming option and value.
result<std::vector<port_spec>>
make_port_specs(const std::vector<std::string>& texts);

/// Errors: `invalid_argument`, naming the option and its value.
result<endpoint_spec> make_endpoint_spec(const endpoint_flags& flags);

} // namespace troupe::tools
