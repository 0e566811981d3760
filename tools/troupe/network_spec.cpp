#include "troupe/tools/troupe/network_spec.hpp"

#include "troupe/config/model/id.hpp"
#include "troupe/tools/troupe/session.hpp"

#include <algorithm>
#include <utility>

namespace troupe::tools {

namespace {

using pools = std::vector<ipam_pool>;

tl::unexpected<error> refuse(std::string_view option, std::string_view text,
                             std::string_view reason, std::string hint = {}) {
  return fail(ec::invalid_argument,
              std::string{option} + " " + quoted(text) + ": "
                + std::string{reason},
              std::move(hint));
}

// Puts the option's name in front of what the parser says.
template <class T>
result<T> parse_option(std::string_view option, std::string_view text) {
  auto parsed = T::parse(text);
  if (!parsed)
    return fail(with_context(std::move(parsed.error()), option));
  return parsed;
}

result<void> add_subnet(pools& xs, const std::string& text) {
  auto subnet = parse_option<prefix>("--subnet", text);
  if (!subnet)
    return fail(std::move(subnet.error()));
  for (const auto& x : xs)
    if (x.subnet->overlaps(*subnet))
      return refuse("--subnet", text,
                    "overlaps --subnet " + to_string(*x.subnet));
  xs.emplace_back().subnet = *subnet;
  return {};
}

// The pool whose subnet contains an address or a range.
template <class T>
result<ipam_pool*> pool_of(pools& xs, std::string_view option,
                           std::string_view text, const T& inside) {
  if (xs.empty())
    return refuse(option, text, "needs a --subnet");
  for (auto& x : xs)
    if (x.subnet->contains(inside))
      return &x;
  return refuse(option, text, "is in no --subnet");
}

// The network's own and its broadcast address belong to nobody. Subnets of
// two or fewer addresses have neither.
bool is_host(const prefix& subnet, const ip_address& x) {
  if (subnet.address().bits() - subnet.length() <= 1)
    return true;
  return x != subnet.first() && (x.is_v6() || x != subnet.last());
}

result<void> add_range(pools& xs, const std::string& text) {
  auto range = parse_option<prefix>("--ip-range", text);
  if (!range)
    return fail(std::move(range.error()));
  auto pool = pool_of(xs, "--ip-range", text, *range);
  if (!pool)
    return fail(std::move(pool.error()));
  if ((*pool)->ip_range)
    return refuse("--ip-range", text, "its subnet has a range already");
  (*pool)->ip_range = *range;
  return {};
}

result<void> add_gateway(pools& xs, const std::string& text) {
  auto gateway = parse_option<ip_address>("--gateway", text);
  if (!gateway)
    return fail(std::move(gateway.error()));
  auto pool = pool_of(xs, "--gateway", text, *gateway);
  if (!pool)
    return fail(std::move(pool.error()));
  if ((*pool)->gateway)
    return refuse("--gateway", text, "its subnet has a gateway already");
  if (!is_host(*(*pool)->subnet, *gateway))
    return refuse("--gateway", text, "network or broadcast address");
  (*pool)->gateway = *gateway;
  return {};
}

result<void> add_aux_address(pools& xs, const std::string& text) {
  auto equals = text.find('=');
  if (equals == text.npos || equals == 0)
    return refuse("--aux-address", text, "has no name",
                  "write it as name=address");
  auto address
    = parse_option<ip_address>("--aux-address", text.substr(equals + 1));
  if (!address)
    return fail(std::move(address.error()));
  auto pool = pool_of(xs, "--aux-address", text, *address);
  if (!pool)
    return fail(std::move(pool.error()));
  auto& taken = (*pool)->aux_addresses;
  for (const auto& [name, other] : taken)
    if (other == *address)
      return refuse("--aux-address", text, "the address is given twice");
  if (!taken.emplace(text.substr(0, equals), *address).second)
    return refuse("--aux-address", text, "the name is given twice");
  return {};
}

result<pools> make_pools(const network_flags& flags) {
  auto result = pools{};
  auto outcome = troupe::result<void>{};
  auto each = [&](const std::vector<std::string>& texts, auto add) {
    for (const auto& text : texts)
      if (outcome)
        outcome = add(result, text);
  };
  each(flags.subnets, add_subnet);
  each(flags.ip_ranges, add_range);
  each(flags.gateways, add_gateway);
  each(flags.aux_addresses, add_aux_address);
  if (!outcome)
    return fail(std::move(outcome.error()));
  return result;
}

} // namespace

result<network_spec> make_network_spec(const network_flags& flags) {
  if (auto named = check_name(flags.name, "network"); !named)
    return fail(std::move(named.error()));
  auto pools = make_pools(flags);
  auto labels = parse_pairs(flags.labels, "--label");
  auto options = parse_pairs(flags.options, "--opt");
  if (!pools || !labels || !options)
    return fail(!pools    ? pools.error()
                : !labels ? labels.error()
                          : options.error());
  auto result = network_spec{};
  result.name = flags.name;
  result.driver = flags.driver;
  result.ipam_driver = flags.ipam_driver;
  result.enable_ipv4 = !flags.no_ipv4;
  result.enable_ipv6
    = flags.ipv6
      || std::any_of(pools->begin(), pools->end(), [](const ipam_pool& x) {
           return x.subnet->address().is_v6();
         });
  result.internal = flags.internal;
  result.pools = std::move(*pools);
  result.labels = std::move(*labels);
  result.options = std::move(*options);
  return result;
}

namespace {

// Docker takes protocols in capitals, and host port 0 for any.
std::string as_we_write_it(std::string text) {
  auto slash = text.rfind('/');
  if (slash != text.npos)
    std::transform(
      text.begin() + static_cast<std::ptrdiff_t>(slash), text.end(),
      text.begin() + static_cast<std::ptrdiff_t>(slash), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
      });
  if (text.starts_with("0:"))
    return text.substr(2);
  // Not inside an IPv6 address, which ends with a bracket.
  auto bracket = text.rfind(']');
  auto host_port = text.find(":0:", bracket == text.npos ? 0 : bracket);
  if (host_port != text.npos) // `10.0.0.1::80`
    text.erase(host_port + 1, 1);
  return text;
}

} // namespace

result<std::vector<port_spec>>
make_port_specs(const std::vector<std::string>& texts) {
  auto result = std::vector<port_spec>{};
  for (const auto& text : texts) {
    auto port = parse_port_spec(as_we_write_it(text));
    if (!port)
      return fail(std::move(port.error()));
    result.push_back(*port);
  }
  return result;
}

result<endpoint_spec> make_endpoint_spec(const endpoint_flags& flags) {
  auto result = endpoint_spec{};
  if (!flags.name.empty())
    if (auto named = check_name(flags.name, "endpoint"); !named)
      return fail(std::move(named.error()));
  auto address = [](std::string_view option, const std::string& text,
                    ip_family family) -> troupe::result<ip_address> {
    auto parsed = parse_option<ip_address>(option, text);
    if (parsed && parsed->family() != family)
      return refuse(option, text,
                    family == ip_family::v4 ? "not an IPv4 address"
                                            : "not an IPv6 address");
    return parsed;
  };
  if (!flags.ip.empty()) {
    auto parsed = address("--ip", flags.ip, ip_family::v4);
    if (!parsed)
      return fail(std::move(parsed.error()));
    result.ipv4 = *parsed;
  }
  if (!flags.ip6.empty()) {
    auto parsed = address("--ip6", flags.ip6, ip_family::v6);
    if (!parsed)
      return fail(std::move(parsed.error()));
    result.ipv6 = *parsed;
  }
  if (!flags.mac.empty()) {
    auto parsed = parse_option<mac_address>("--mac", flags.mac);
    if (!parsed)
      return fail(std::move(parsed.error()));
    if (parsed->is_multicast() || parsed->is_zero())
      return refuse("--mac", flags.mac,
                    parsed->is_zero() ? "all zero" : "a multicast address",
                    "the first byte of a unicast address is even");
    result.mac = *parsed;
  }
  auto ports = make_port_specs(flags.publish);
  if (!ports)
    return fail(std::move(ports.error()));
  result.ports = std::move(*ports);
  for (const auto& text : flags.expose) {
    auto port = parse_exposed_port(as_we_write_it(text));
    if (!port)
      return fail(with_context(std::move(port.error()), "--expose"));
    result.exposed.push_back(*port);
  }
  result.publish_all = flags.publish_all;
  auto labels = parse_pairs(flags.labels, "--label");
  auto options = parse_pairs(flags.options, "--opt");
  if (!labels || !options)
    return fail(!labels ? labels.error() : options.error());
  result.name = flags.name;
  result.priority = flags.priority;
  result.labels = std::move(*labels);
  result.options = std::move(*options);
  return result;
}

} // namespace troupe::tools
