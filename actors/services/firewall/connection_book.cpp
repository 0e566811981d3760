#include "troupe/actors/services/firewall/connection_book.hpp"

#include <algorithm>
#include <utility>

namespace troupe {

namespace {

using netns::connection_info;
using netns::conntrack_filter;
namespace fw = netns::firewall;

fw::set_id publish_set(ip_family family, bool any_address) {
  if (family == ip_family::v4)
    return any_address ? fw::set_id::publish4_any : fw::set_id::publish4_addr;
  return any_address ? fw::set_id::publish6_any : fw::set_id::publish6_addr;
}

/// What a port of the host would be, published to where it leads: as elements,
/// one for all addresses of the host, one for this.
std::vector<fw::element>
explanations(const ip_address& host, uint16_t port, const connection_info& x) {
  auto result = std::vector<fw::element>{};
  const auto family = host.family();
  if (auto made
      = fw::make_element(publish_set(family, false), {host, *x.proto, port},
                         {x.server, x.server_port}))
    result.push_back(std::move(*made));
  if (auto made = fw::make_element(publish_set(family, true), {*x.proto, port},
                                   {x.server, x.server_port}))
    result.push_back(std::move(*made));
  return result;
}

bool is_published(const connection_info& x, const firewall_book& rules) {
  return std::ranges::any_of(explanations(x.host, x.host_port, x),
                             [&](const auto& element) {
                               return rules.wants(element);
                             });
}

/// Is it one, wherever it leads?
bool is_published_port(const ip_address& host, uint16_t port,
                       const connection_info& x, const firewall_book& rules) {
  return std::ranges::any_of(explanations(host, port, x),
                             [&](const auto& element) {
                               return rules.wants_key(element);
                             });
}

conntrack_filter to_host(const connection_info& x) {
  auto result = conntrack_filter{};
  result.family = x.host.family();
  result.proto = x.proto;
  result.host_address = x.host;
  result.host_port = x.host_port;
  return result;
}

conntrack_filter translated(const connection_info& x) {
  auto result = to_host(x);
  result.server = x.server;
  result.server_port = x.server_port;
  return result;
}

conntrack_filter before(const connection_info& x) {
  auto result = to_host(x);
  result.untranslated = true;
  result.unanswered = x.proto != protocol::udp;
  return result;
}

connection_book::filters each_once(connection_book::filters xs) {
  std::ranges::sort(xs);
  xs.erase(std::unique(xs.begin(), xs.end()), xs.end());
  return xs;
}

bool is_broadcast(const prefix& subnet, const ip_address& x) {
  return x.is_v4() && subnet.length() < 31
         && (x == subnet.first() || x == subnet.last());
}

} // namespace

void connection_book::add(const drivers::driver& driver,
                          const network_spec& network) {
  auto entry = network_entry{};
  for (const auto& x : network.pools) {
    if (x.subnet)
      entry.subnets.push_back(*x.subnet);
    if (x.gateway)
      entry.own.push_back(*x.gateway);
    for (const auto& [name, address] : x.aux_addresses)
      entry.own.push_back(address);
  }
  for (const auto& x : driver.network_addresses(network))
    entry.own.push_back(x.address);
  entry.is_ours
    = driver.network_interface(network) == "br-" + network.id.brief();
  networks_[network.id] = std::move(entry);
}

void connection_book::remove(const network_id& network) {
  networks_.erase(network);
}

void connection_book::add(const endpoint_spec& endpoint) {
  remove(endpoint.id);
  auto& entry = endpoints_[endpoint.id];
  for (const auto& x : endpoint.addresses) {
    entry.push_back(x.address);
    ++addresses_[x.address];
  }
}

void connection_book::remove(const endpoint_id& endpoint) {
  const auto found = endpoints_.find(endpoint);
  if (found == endpoints_.end())
    return;
  for (const auto& x : found->second)
    if (--addresses_[x] == 0)
      addresses_.erase(x);
  endpoints_.erase(found);
}

bool connection_book::is_ours(const ip_address& x) const {
  return std::ranges::any_of(networks_, [&](const auto& network) {
    return std::ranges::any_of(network.second.subnets, [&](const auto& subnet) {
      return subnet.contains(x);
    });
  });
}

/// Could an endpoint have the address, and none has?
bool connection_book::is_stray(const ip_address& x) const {
  if (addresses_.contains(x))
    return false;
  return std::ranges::any_of(networks_, [&](const auto& network) {
    const auto& entry = network.second;
    return entry.is_ours && std::ranges::find(entry.own, x) == entry.own.end()
           && std::ranges::any_of(entry.subnets, [&](const auto& subnet) {
                return subnet.contains(x) && !is_broadcast(subnet, x);
              });
  });
}

/// Would an untranslated connection be translated if it began now? One that the
/// proxy seems to have begun is its answer to a question that was forgotten.
bool connection_book::is_before(const connection_info& x,
                                const firewall_book& rules) const {
  if (is_published_port(x.host, x.host_port, x, rules))
    return x.proto == protocol::udp || !x.answered;
  return x.proto == protocol::udp && !is_ours(x.client)
         && is_published_port(x.client, x.client_port, x, rules);
}

connection_book::filters
connection_book::unexplained(std::span<const connection_info> connections,
                             const firewall_book& rules) const {
  auto result = filters{};
  for (const auto& x : connections) {
    for (const auto& end : {x.client, x.server})
      if (is_stray(end))
        result.push_back(connections_of(end));
    if (!x.proto)
      continue;
    if (x.destination_translated()) {
      if (is_ours(x.server) && !is_published(x, rules))
        result.push_back(translated(x));
    } else if (!x.source_translated && is_before(x, rules)) {
      result.push_back(before(x));
    }
  }
  return each_once(std::move(result));
}

connection_book::filters connection_book::untranslated(
  std::span<const connection_info> connections) const {
  auto result = filters{};
  for (const auto& x : connections) {
    if (x.source_translated || x.destination_translated()
        || (!is_ours(x.client) && !is_ours(x.server)))
      continue;
    result.push_back(to_host(x));
    result.back().untranslated = true;
  }
  return each_once(std::move(result));
}

conntrack_filter connections_of(const ip_address& address) {
  auto result = conntrack_filter{};
  result.family = address.family();
  result.address = address;
  return result;
}

conntrack_filter
connections_through(const port_binding& binding, const ip_address& target) {
  auto result = conntrack_filter{};
  result.family = target.family();
  result.proto = binding.proto;
  result.server = target;
  result.server_port = binding.port;
  result.host_port = binding.host_port;
  if (binding.host_port != 0 && !binding.host_ip.is_unspecified())
    result.host_address = binding.host_ip;
  return result;
}

conntrack_filter connections_before(const port_binding& binding) {
  auto result = conntrack_filter{};
  result.family = binding.host_ip.family();
  result.proto = binding.proto;
  result.host_port = binding.host_port;
  if (!binding.host_ip.is_unspecified())
    result.host_address = binding.host_ip;
  result.untranslated = true;
  result.unanswered = binding.proto != protocol::udp;
  return result;
}

} // namespace troupe
