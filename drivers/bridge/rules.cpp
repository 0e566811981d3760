#include "troupe/drivers/bridge/rules.hpp"

#include "troupe/drivers/bridge/names.hpp"
#include "troupe/drivers/bridge/options.hpp"
#include "troupe/drivers/bridge/wanted.hpp"
#include "troupe/netns/link_local.hpp"

#include <algorithm>

namespace troupe::drivers {

namespace {

namespace fw = netns::firewall;

using fw::set_id;
using fw::verdict;

// Collects elements; keeps the first error.
class collector {
public:
  void add(set_id set, std::initializer_list<fw::value> key,
           std::initializer_list<fw::value> data = {}) {
    auto made = fw::make_element(set, key, data);
    if (made)
      elements_.push_back(std::move(*made));
    else if (!first_)
      first_ = std::move(made.error());
  }

  // Two bindings may ask for the same.
  result<firewall_elements> take() {
    if (first_)
      return fail(std::move(*first_));
    std::ranges::sort(elements_);
    elements_.erase(std::unique(elements_.begin(), elements_.end()),
                    elements_.end());
    return std::move(elements_);
  }

private:
  firewall_elements elements_;
  std::optional<error> first_;
};

constexpr auto families = std::array{ip_family::v4, ip_family::v6};

bool has_family(const network_spec& network, ip_family family) {
  return family == ip_family::v4 ? network.enable_ipv4 : network.enable_ipv6;
}

gateway_mode mode_of(const bridge_options& options, ip_family family) {
  auto mode = family == ip_family::v4 ? options.mode_v4 : options.mode_v6;
  return mode == gateway_mode::standard ? gateway_mode::nat : mode;
}

// What may come in from elsewhere. A family that the network has not is closed:
// a container may give itself addresses.
verdict entry_of(const network_spec& network, const bridge_options& options,
                 ip_family family) {
  if (network.internal || !has_family(network, family))
    return verdict::in_internal;
  switch (mode_of(options, family)) {
  case gateway_mode::nat_unprotected:
    return verdict::in_open;
  case gateway_mode::routed:
    return verdict::in_routed;
  case gateway_mode::isolated:
    return verdict::in_internal;
  default:
    return verdict::in_nat;
  }
}

void add_source(collector& out, const bridge_options& options,
                std::string_view bridge, ip_family family) {
  auto mode = mode_of(options, family);
  if (!options.enable_ip_masquerade || mode == gateway_mode::routed)
    return;
  auto is_v4 = family == ip_family::v4;
  if (const auto& source = is_v4 ? options.host_ipv4 : options.host_ipv6)
    out.add(is_v4 ? set_id::source4 : set_id::source6, {bridge}, {*source});
  out.add(set_id::masquerade_from, {family, bridge});
}

std::optional<ip_address>
address_of(const endpoint_spec& endpoint, ip_family family) {
  for (const auto& x : endpoint.addresses)
    if (x.address.family() == family)
      return x.address;
  return std::nullopt;
}

void add_guard(collector& out, const network_spec& network,
               const endpoint_spec& endpoint, std::string_view port) {
  auto mac = endpoint_mac(endpoint);
  auto add_v6 = [&](const ip_address& x) {
    out.add(set_id::guard_ip6, {port, x});
    out.add(set_id::guard_nd, {port, x});
  };
  out.add(set_id::guard_mac, {port, mac});
  for (const auto& x : endpoint.addresses)
    if (x.address.is_v4())
      out.add(set_id::guard_ip4, {port, x.address});
    else
      add_v6(x.address);
  if (network.enable_ipv6)
    add_v6(netns::link_local_of(mac).address);
}

void add_proxied_udp(collector& out, const port_binding& binding) {
  const auto& address = binding.host_ip;
  if (address.is_unspecified())
    out.add(set_id::proxied_udp, {address.family(), binding.host_port});
  else
    out.add(address.is_v4() ? set_id::proxied_udp4 : set_id::proxied_udp6,
            {address, binding.host_port});
}

// @param bridge The network's, if its containers do not reach each other.
void add_binding(collector& out, const port_binding& binding,
                 const port_delivery& delivery, publish_mode mode,
                 const std::optional<std::string>& bridge) {
  if (delivery.proxy)
    out.add(set_id::proxied, {binding.proto, binding.host_port});
  if (!delivery.rules)
    return;
  if (delivery.proxy && bridge)
    out.add(set_id::by_proxy,
            {std::string_view{*bridge}, binding.proto, binding.host_port});
  auto is_v4 = binding.host_ip.is_v4();
  if (delivery.proxy && binding.proto == protocol::udp
      && mode == publish_mode::nat)
    add_proxied_udp(out, binding);
  const auto& target = *delivery.target;
  if (mode == publish_mode::nat)
    out.add(is_v4 ? set_id::self4 : set_id::self6, {target, target});
  if (mode == publish_mode::routed)
    out.add(is_v4 ? set_id::open4 : set_id::open6,
            {target, binding.proto, binding.port});
  else if (binding.host_ip.is_unspecified())
    out.add(is_v4 ? set_id::publish4_any : set_id::publish6_any,
            {binding.proto, binding.host_port}, {target, binding.port});
  else
    out.add(is_v4 ? set_id::publish4_addr : set_id::publish6_addr,
            {binding.host_ip, binding.proto, binding.host_port},
            {target, binding.port});
}

publish_mode publishing(const network_spec& network,
                        const bridge_options& options, ip_family family) {
  if (network.internal)
    return publish_mode::none;
  if (has_family(network, family))
    return mode_of(options, family) == gateway_mode::routed
             ? publish_mode::routed
             : publish_mode::nat;
  // Through the proxy, to the container's IPv4 address.
  if (family == ip_family::v6
      && publishing(network, options, ip_family::v4) == publish_mode::nat)
    return publish_mode::nat;
  return publish_mode::none;
}

port_delivery delivery(const endpoint_spec& endpoint,
                       const port_binding& binding, publish_mode mode) {
  const auto& host = binding.host_ip;
  auto result = port_delivery{};
  if (mode == publish_mode::none)
    return result;
  result.target = address_of(endpoint, host.family());
  if (mode == publish_mode::routed) {
    result.rules = result.target.has_value();
    return result;
  }
  if (result.target) {
    result.rules = !host.is_loopback();
    result.proxy = true;
  } else if (host.is_v6()) {
    result.target = address_of(endpoint, ip_family::v4);
    result.proxy = result.target.has_value();
  }
  return result;
}

} // namespace

result<firewall_elements> bridge_network_elements(const network_spec& network) {
  auto options = parse_bridge_options(network);
  if (!options)
    return fail(std::move(options.error()));
  auto name = network_bridge(network);
  auto bridge = std::string_view{name};
  auto out = collector{};
  out.add(set_id::within, {bridge, bridge},
          {options->enable_icc ? verdict::accept : verdict::in_nat});
  for (auto family : families) {
    auto entry = entry_of(network, *options, family);
    out.add(set_id::enter, {family, bridge}, {entry});
    if (entry == verdict::in_internal)
      out.add(set_id::leave, {family, bridge}, {verdict::drop});
    else
      add_source(out, *options, bridge, family);
  }
  if (network.internal)
    return out.take();
  out.add(set_id::hairpin, {bridge, bridge});
  out.add(set_id::networks, {bridge});
  for (const auto& x : options->trusted_interfaces)
    out.add(set_id::allowed, {std::string_view{x}, bridge});
  for (const auto& x : options->allowed_networks)
    out.add(set_id::allowed, {std::string_view{x}, bridge});
  return out.take();
}

result<firewall_elements>
bridge_endpoint_elements(const network_spec& network,
                         const endpoint_spec& endpoint,
                         std::span<const port_binding> bindings) {
  auto options = parse_bridge_options(network);
  if (!options)
    return fail(std::move(options.error()));
  auto port = host_end_name(endpoint.id);
  if (port.empty())
    return fail(ec::invalid_argument, "endpoint: no id");
  auto out = collector{};
  if (options->spoof_guard)
    add_guard(out, network, endpoint, port);
  else
    out.add(set_id::unguarded, {port});
  auto bridge = std::optional<std::string>{};
  if (!options->enable_icc)
    bridge = network_bridge(network);
  for (const auto& x : bindings) {
    auto mode = publishing(network, *options, x.host_ip.family());
    add_binding(out, x, delivery(endpoint, x, mode), mode, bridge);
  }
  return out.take();
}

port_delivery
bridge_delivery(const network_spec& network, const endpoint_spec& endpoint,
                const port_binding& binding) {
  return delivery(endpoint, binding,
                  bridge_publishing(network, binding.host_ip.family()));
}

publish_mode bridge_publishing(const network_spec& network, ip_family family) {
  auto options = parse_bridge_options(network);
  return options ? publishing(network, *options, family) : publish_mode::none;
}

std::optional<ip_address> bridge_publish_address(const network_spec& network) {
  auto options = parse_bridge_options(network);
  if (!options)
    return std::nullopt;
  return options->host_binding_ipv4;
}

bool bridge_needs_forwarding(const network_spec& network, ip_family family) {
  auto options = parse_bridge_options(network);
  return options && !network.internal && has_family(network, family)
         && mode_of(*options, family) != gateway_mode::isolated;
}

} // namespace troupe::drivers
