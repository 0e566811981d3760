#include "troupe/drivers/bridge/wanted.hpp"

#include "troupe/drivers/bridge/names.hpp"
#include "troupe/drivers/bridge/rules.hpp"
#include "troupe/netns/link_local.hpp"

#include <fmt/format.h>

namespace troupe::drivers {

namespace {

bool has_pool(const network_spec& network, ip_family family) {
  for (const auto& pool : network.pools)
    if (pool.subnet && pool.subnet->family() == family)
      return true;
  return false;
}

// Isolated mode and inhibit_ipv4 keep a gateway off the bridge.
bool holds_gateway(const bridge_options& options, ip_family family) {
  if (family == ip_family::v6)
    return options.mode_v6 != gateway_mode::isolated;
  return options.mode_v4 != gateway_mode::isolated && !options.inhibit_ipv4;
}

std::vector<interface_address>
gateways_of(const network_spec& network, const bridge_options& options) {
  auto result = std::vector<interface_address>{};
  for (const auto& pool : network.pools)
    if (pool.subnet && pool.gateway
        && holds_gateway(options, pool.subnet->family()))
      result.push_back({*pool.gateway, pool.subnet->length()});
  return result;
}

} // namespace

std::string network_bridge(const network_spec& network) {
  auto options = parse_bridge_options(network);
  if (!options)
    return {};
  return options->name.empty() ? bridge_name(network.id) : options->name;
}

result<wanted_bridge> want_bridge(const network_spec& network) {
  auto options = parse_bridge_options(network);
  if (!options)
    return fail(std::move(options.error()));
  if (network.id.empty())
    return fail(ec::invalid_argument, "network: no id");
  if (network.enable_ipv4 && !has_pool(network, ip_family::v4))
    return fail(ec::invalid_argument, "ipv4 pool is empty");
  auto result = wanted_bridge{};
  result.id = network.id.value;
  result.is_named = !options->name.empty();
  result.is_users = result.is_named && options->is_users;
  result.name = result.is_named ? options->name : bridge_name(network.id);
  result.has_ipv6
    = network.enable_ipv6 && holds_gateway(*options, ip_family::v6);
  result.forwards_ipv4 = bridge_needs_forwarding(network, ip_family::v4);
  result.mac = bridge_mac(network.id);
  result.mtu_bytes = options->mtu_bytes;
  if (result.has_ipv6)
    result.link_local = netns::link_local_of(result.mac);
  result.addresses = gateways_of(network, *options);
  return result;
}

result<wanted_endpoint>
want_endpoint(const instance& owner, const endpoint_plan& plan) {
  auto options = parse_bridge_options(plan.network);
  if (!options)
    return fail(std::move(options.error()));
  if (plan.endpoint.id.empty() || plan.where.interface.empty())
    return fail(ec::invalid_argument, "endpoint: no id or no interface name");
  if (plan.where.ns.path.empty())
    return fail(ec::forbidden,
                fmt::format("endpoint {}: the host's own namespace is no place "
                            "for an endpoint of a bridge network",
                            plan.endpoint.id.brief()),
                "use the host network");
  auto result = wanted_endpoint{};
  result.id = plan.endpoint.id.value;
  result.network = plan.network.id.value;
  result.name = host_end_name(plan.endpoint.id);
  result.bridge
    = options->name.empty() ? bridge_name(plan.network.id) : options->name;
  result.alias = owner.alias(plan.endpoint.id.value);
  result.host_mac = host_end_mac(plan.endpoint.id);
  result.group = owner.link_group();
  result.mtu_bytes = options->mtu_bytes;
  result.flags.isolated = !options->enable_icc;
  // On a bridge that the user named, and may have made, frames to link-local
  // addresses, which no rule sees, would be learnt from.
  result.flags.learning = options->name.empty() || !options->spoof_guard;
  // A container that reaches itself through a published port: where bridged
  // packets pass the firewall (bridge-nf-call-iptables) the answer leaves by
  // the port that it came from.
  result.flags.hairpin
    = !plan.network.internal
      && (!plan.endpoint.ports.empty() || plan.endpoint.publish_all);
  result.ns = plan.where.ns;
  result.interface = plan.where.interface;
  result.mac = endpoint_mac(plan.endpoint);
  result.has_ipv6 = plan.network.enable_ipv6;
  result.paths = want_paths(plan);
  if (result.has_ipv6)
    result.paths.link_local = netns::link_local_of(result.mac);
  for (const auto& x : gateways_of(plan.network, *options))
    result.gateways.push_back(x.address);
  return result;
}

} // namespace troupe::drivers
