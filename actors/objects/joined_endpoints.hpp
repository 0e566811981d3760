#pragma once

#include "troupe/actors/core/plumbing.hpp"

#include <optional>
#include <string>
#include <vector>

namespace troupe {

/// An endpoint in a sandbox, as far as the sandbox decides about it.
struct joined_endpoint {
  endpoint_id id;
  network_id network;
  std::string network_name;
  std::string interface; ///< Empty for drivers without one.
  int priority = 0;
  bool internal = false;
  std::optional<ip_address> gateway;    ///< IPv4; never of an internal network.
  std::optional<ip_address> gateway_v6; ///< Never of an internal network.
};

/// Describes an endpoint for its sandbox. The interface's name is left empty.
joined_endpoint
describe_join(const network_spec& network, const endpoint_spec& endpoint);

/// The gateways a network gives its endpoints; none if it is internal.
std::optional<ip_address>
gateway_of(const network_spec& network, ip_family family);

/// The interface name an endpoint's options ask for; empty: any. Labels
/// `com.docker.network.endpoint.ifname`, short `ifname`.
std::string wanted_interface(const text_map& options);

/// The endpoints of one sandbox: their order, interface names and gateways.
/// Plain memory, owned by the SANDBOX actor.
class joined_endpoints {
public:
  /// Name for the next interface: the wanted one, or the prefix and the lowest
  /// free number. Errors: `conflict` when the wanted one is taken.
  result<std::string>
  choose_interface(const std::string& wanted, const std::string& prefix) const;

  void add(joined_endpoint x);
  void remove(const endpoint_id& id);

  const joined_endpoint* find(const endpoint_id& id) const;
  const joined_endpoint* find(const network_id& network) const;

  /// In order of joining.
  const std::vector<joined_endpoint>& all() const {
    return endpoints_;
  }

  /// The endpoint that gives the family's default route, chosen for each
  /// family on its own: highest priority, then external before internal, then
  /// the one with gateways of more families, then by network name (libnetwork).
  const joined_endpoint* gateway(ip_family family) const;

  /// The default route the family should have.
  std::optional<default_route> route(ip_family family) const;

private:
  std::vector<joined_endpoint> endpoints_;
};

} // namespace troupe
