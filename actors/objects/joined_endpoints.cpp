#include "troupe/actors/objects/joined_endpoints.hpp"

#include "troupe/config/model/gateway.hpp"

#include <algorithm>

namespace troupe {

namespace {

int gateway_families(const joined_endpoint& x) {
  return (x.gateway ? 1 : 0) + (x.gateway_v6 ? 1 : 0);
}

/// True if `a` is the better gateway.
bool outranks(const joined_endpoint& a, const joined_endpoint& b) {
  if (a.priority != b.priority)
    return a.priority > b.priority;
  if (a.internal != b.internal)
    return b.internal;
  if (gateway_families(a) != gateway_families(b))
    return gateway_families(a) > gateway_families(b);
  if (a.network_name != b.network_name)
    return a.network_name < b.network_name;
  // Two of one network: not the order of joining, which no record has.
  return std::pair{a.interface.size(), a.interface}
         < std::pair{b.interface.size(), b.interface};
}

const std::optional<ip_address>&
gateway_in(const joined_endpoint& x, ip_family family) {
  return family == ip_family::v4 ? x.gateway : x.gateway_v6;
}

} // namespace

std::optional<ip_address>
gateway_of(const network_spec& network, ip_family family) {
  if (network.internal)
    return std::nullopt;
  for (const auto& pool : network.pools)
    if (const auto* gateway = default_gateway(pool))
      if (gateway->family() == family)
        return *gateway;
  return std::nullopt;
}

joined_endpoint
describe_join(const network_spec& network, const endpoint_spec& endpoint) {
  return {endpoint.id,
          network.id,
          network.name,
          {},
          endpoint.priority,
          network.internal,
          gateway_of(network, ip_family::v4),
          gateway_of(network, ip_family::v6)};
}

std::string wanted_interface(const text_map& options) {
  for (const auto* key : {"com.docker.network.endpoint.ifname", "ifname"})
    if (auto found = options.find(key); found != options.end())
      return found->second;
  return {};
}

result<std::string>
joined_endpoints::choose_interface(const std::string& wanted,
                                   const std::string& prefix) const {
  auto taken = [&](const std::string& name) {
    return std::any_of(endpoints_.begin(), endpoints_.end(),
                       [&](const auto& x) {
                         return x.interface == name;
                       });
  };
  if (!wanted.empty()) {
    if (taken(wanted))
      return fail(ec::conflict, "name interface " + quoted(wanted)
                                  + ": the sandbox has one of this name");
    return wanted;
  }
  for (size_t n = 0;; ++n)
    if (auto name = prefix + std::to_string(n); !taken(name))
      return name;
}

void joined_endpoints::add(joined_endpoint x) {
  endpoints_.push_back(std::move(x));
}

void joined_endpoints::remove(const endpoint_id& id) {
  std::erase_if(endpoints_, [&](const auto& x) {
    return x.id == id;
  });
}

const joined_endpoint* joined_endpoints::find(const endpoint_id& id) const {
  auto found
    = std::find_if(endpoints_.begin(), endpoints_.end(), [&](const auto& x) {
        return x.id == id;
      });
  return found == endpoints_.end() ? nullptr : &*found;
}

const joined_endpoint* joined_endpoints::find(const network_id& network) const {
  auto found
    = std::find_if(endpoints_.begin(), endpoints_.end(), [&](const auto& x) {
        return x.network == network;
      });
  return found == endpoints_.end() ? nullptr : &*found;
}

const joined_endpoint* joined_endpoints::gateway(ip_family family) const {
  const joined_endpoint* best = nullptr;
  for (const auto& x : endpoints_)
    if (gateway_in(x, family) && (best == nullptr || outranks(x, *best)))
      best = &x;
  return best;
}

std::optional<default_route> joined_endpoints::route(ip_family family) const {
  const auto* from = gateway(family);
  if (from == nullptr)
    return std::nullopt;
  return default_route{from->interface, *gateway_in(*from, family)};
}

} // namespace troupe
