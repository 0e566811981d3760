#include "troupe/drivers/bridge/validate.hpp"

#include "troupe/config/model/gateway.hpp"
#include "troupe/drivers/bridge/names.hpp"
#include "troupe/drivers/bridge/options.hpp"
#include "troupe/drivers/bridge/wanted.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace troupe::drivers {

namespace {

tl::unexpected<error> invalid(std::string message, std::string hint = {}) {
  return fail(ec::invalid_argument, std::move(message), std::move(hint));
}

// Ranges that cannot be a network's: they mean something else to every host,
// and IPv6's link-local one the kernel puts on every interface itself.
result<void> check_range(const prefix& subnet) {
  struct row {
    const char* range;
    const char* what;
  };
  constexpr auto taken = std::array{
    row{"0.0.0.0/8", "addresses of \"this network\""},
    row{"127.0.0.0/8", "loopback addresses"},
    row{"169.254.0.0/16", "link-local addresses"},
    row{"224.0.0.0/4", "multicast addresses"},
    row{"255.255.255.255/32", "broadcast address"},
    row{"::/128", "unspecified address"},
    row{"::1/128", "loopback address"},
    row{"fe80::/10", "link-local prefix"},
    row{"ff00::/8", "multicast addresses"},
  };
  for (const auto& [range, what] : taken)
    if (auto x = prefix::parse(range); x && subnet.overlaps(*x))
      return invalid(fmt::format("subnet {}: clashes with the {} {}",
                                 to_string(subnet), what, range));
  return {};
}

result<void> check_gateway(const prefix& subnet, const ip_address& gateway) {
  auto text = to_string(gateway);
  if (!subnet.contains(gateway))
    return invalid(
      fmt::format("gateway {}: not in subnet {}", text, to_string(subnet)));
  // /31 and /32, /127 and /128 have no addresses to spare.
  if (subnet.length() + 1 >= gateway.bits())
    return {};
  if (gateway == subnet.first())
    return invalid(fmt::format("gateway {}: is the network address of {}", text,
                               to_string(subnet)));
  if (gateway.is_v4() && gateway == subnet.last())
    return invalid(fmt::format("gateway {}: is the broadcast address of {}",
                               text, to_string(subnet)));
  return {};
}

result<void> check_pool(const network_spec& network, const ipam_pool& pool) {
  if (!pool.subnet)
    return {};
  auto family = pool.subnet->family();
  auto is_v4 = family == ip_family::v4;
  if (pool.subnet->length() == 0)
    return invalid(is_v4 ? "ipv4 pool is empty" : "ipv6 pool is empty");
  if (!(is_v4 ? network.enable_ipv4 : network.enable_ipv6))
    return invalid(fmt::format("subnet {}: {} is not enabled",
                               to_string(*pool.subnet),
                               is_v4 ? "IPv4" : "IPv6"),
                   is_v4 ? "" : "add --ipv6");
  if (auto done = check_range(*pool.subnet); !done)
    return done;
  if (pool.gateway)
    if (auto done = check_gateway(*pool.subnet, *pool.gateway); !done)
      return done;
  if (const auto* other = container_gateway(pool))
    return check_gateway(*pool.subnet, *other);
  return {};
}

result<void> check_pools(const network_spec& network) {
  auto count_v4 = 0;
  auto count_v6 = 0;
  for (const auto& pool : network.pools) {
    if (pool.subnet)
      ++(pool.subnet->family() == ip_family::v4 ? count_v4 : count_v6);
    if (auto done = check_pool(network, pool); !done)
      return done;
  }
  if (count_v4 > 1 || count_v6 > 1)
    return fail(ec::forbidden,
                "bridge driver doesn't support multiple subnets of one family");
  return {};
}

result<void>
check_address(const prefix* subnet, const ip_address& x, bool is_enabled) {
  if (!is_enabled)
    return invalid(fmt::format("address {}: the network has no {}",
                               to_string(x), x.is_v4() ? "IPv4" : "IPv6"));
  if (subnet != nullptr && !subnet->contains(x))
    return invalid(fmt::format("address {}: not in subnet {}", to_string(x),
                               to_string(*subnet)));
  return {};
}

const prefix* subnet_of(const network_spec& network, ip_family family) {
  for (const auto& pool : network.pools)
    if (pool.subnet && pool.subnet->family() == family)
      return &*pool.subnet;
  return nullptr;
}

} // namespace

result<void> validate_bridge(const network_spec& network) {
  if (auto options = parse_bridge_options(network); !options)
    return fail(std::move(options.error()));
  if (!network.enable_ipv4 && !network.enable_ipv6)
    return invalid("network: neither IPv4 nor IPv6 is enabled");
  if (auto labels = check_bridge_labels(network); !labels)
    return labels;
  return check_pools(network);
}

result<void> validate_bridge_endpoint(const network_spec& network,
                                      const endpoint_spec& endpoint) {
  if (endpoint.mac && (endpoint.mac->is_multicast() || endpoint.mac->is_zero()))
    return invalid(
      fmt::format("mac {}: not a unicast address", to_string(*endpoint.mac)),
      "the first byte must be even");
  for (const auto* x : {&endpoint.ipv4, &endpoint.ipv6}) {
    if (!*x)
      continue;
    auto family = (*x)->family();
    auto is_enabled
      = family == ip_family::v4 ? network.enable_ipv4 : network.enable_ipv6;
    if (auto done = check_address(subnet_of(network, family), **x, is_enabled);
        !done)
      return done;
  }
  return check_bridge_endpoint_options(endpoint);
}

result<void> check_bridge_conflict(const network_spec& wanted,
                                   const network_spec& existing) {
  auto name = network_bridge(wanted);
  auto other = network_bridge(existing);
  auto refuse = [&](std::string_view shared) {
    return fail(ec::conflict,
                fmt::format("cannot create network {} ({}): conflicts with "
                            "network {} ({}): networks have {}",
                            wanted.name, name, existing.name, other, shared));
  };
  if (!name.empty() && name == other)
    return refuse("same bridge name");
  for (auto family : {ip_family::v4, ip_family::v6}) {
    const auto* mine = subnet_of(wanted, family);
    const auto* theirs = subnet_of(existing, family);
    if (mine != nullptr && theirs != nullptr && mine->overlaps(*theirs))
      return refuse(family == ip_family::v4 ? "overlapping IPv4"
                                            : "overlapping IPv6");
  }
  return {};
}

} // namespace troupe::drivers
