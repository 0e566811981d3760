#include "troupe/tools/adapter/network.hpp"

#include "troupe/config/model/id.hpp"
#include "troupe/config/model/json.hpp"
#include "troupe/tools/adapter/names.hpp"

#include <algorithm>
#include <utility>

namespace troupe::adapter {

namespace {

std::string differs(const std::string& what, const std::string& wanted,
                    const std::string& has) {
  return what + " " + wanted + " is wanted, it has "
         + (has.empty() ? std::string{"none"} : has);
}

ip_family family_of(const ipam_pool& x) {
  if (x.subnet)
    return x.subnet->family();
  return x.gateway ? x.gateway->family() : ip_family::v4;
}

const ipam_pool* pool_of(const network_spec& network, ip_family family) {
  auto found = std::ranges::find(network.pools, family, family_of);
  return found == network.pools.end() ? nullptr : &*found;
}

template <class T>
std::string text_of(const std::optional<T>& x) {
  return x ? to_string(*x) : std::string{};
}

// Of one pool, what is given.
std::string pool_contradiction(const ipam_pool& wanted, const ipam_pool& has) {
  if (wanted.subnet && wanted.subnet != has.subnet)
    return differs("subnet", to_string(*wanted.subnet), text_of(has.subnet));
  if (wanted.ip_range && wanted.ip_range != has.ip_range)
    return differs("range", to_string(*wanted.ip_range), text_of(has.ip_range));
  if (wanted.gateway && wanted.gateway != has.gateway)
    return differs("gateway", to_string(*wanted.gateway), text_of(has.gateway));
  for (const auto& [name, address] : wanted.aux_addresses) {
    auto found = has.aux_addresses.find(name);
    if (found == has.aux_addresses.end() || found->second != address)
      return differs("reserved address", to_string(address), {});
  }
  return {};
}

std::string
pools_contradiction(const wanted_network& wanted, const network_spec& there) {
  for (const auto& pool : wanted.spec.pools) {
    const auto* has = pool_of(there, family_of(pool));
    auto text = pool_contradiction(pool, has == nullptr ? ipam_pool{} : *has);
    if (!text.empty())
      return text;
  }
  if (!wanted.states_families)
    return {};
  for (const auto& pool : there.pools)
    if (pool_of(wanted.spec, family_of(pool)) == nullptr)
      return "subnet " + text_of(pool.subnet) + " is not wanted, it has it";
  return {};
}

std::string map_contradiction(const std::string& what, const text_map& wanted,
                              const text_map& has) {
  for (const auto& [key, value] : wanted) {
    auto found = has.find(key);
    if (found == has.end() || found->second != value)
      return differs(what + " " + key + "=", quoted(value),
                     found == has.end() ? std::string{}
                                        : quoted(found->second));
  }
  return {};
}

std::string name_of(const network_spec& x) {
  return quoted(x.name) + " (" + x.id.brief() + ")";
}

std::string label_of(const network_spec& x, std::string_view name) {
  auto found = x.labels.find(std::string{name});
  return found == x.labels.end() ? std::string{} : found->second;
}

std::string wish_of(const network_spec& x) {
  return digest(dump(to_json(x)));
}

result<network_status>
accept(const wanted_network& wanted, network_status found) {
  auto why = std::string{};
  if (!wanted.must_exist && found.spec.name != wanted.spec.name)
    return fail(ec::not_found, "find network " + quoted(wanted.spec.name)
                                 + ": no such network");
  const auto owner = label_of(found.spec, network_label);
  if (!wanted.must_exist && !owner.empty() && owner != wanted.title)
    why = "it belongs to network configuration " + quoted(owner);
  // Some options are recorded otherwise than they were given.
  else if (label_of(found.spec, wish_label) == wish_of(wanted.spec))
    return found;
  if (why.empty())
    why = contradiction(wanted, found.spec);
  if (why.empty())
    return found;
  return fail(ec::conflict,
              "network configuration " + quoted(wanted.title)
                + " contradicts network " + name_of(found.spec) + ": " + why,
              "change the configuration, or remove the network with: troupe "
              "network rm "
                + found.spec.name);
}

result<network_status> find(daemon_link& daemon, const wanted_network& wanted) {
  auto found = daemon.ask<network_status>(inspect_network{wanted.reference});
  return found ? accept(wanted, std::move(*found)) : found;
}

} // namespace

std::string
contradiction(const wanted_network& wanted, const network_spec& there) {
  const auto& spec = wanted.spec;
  if (wanted.states_driver && spec.driver != there.driver)
    return differs("driver", spec.driver, there.driver);
  if (wanted.states_internal && spec.internal != there.internal)
    return std::string{"it is "} + (there.internal ? "" : "not ") + "internal";
  if (spec.enable_ipv6 && !there.enable_ipv6)
    return "IPv6 is wanted, it has none";
  if (auto text = pools_contradiction(wanted, there); !text.empty())
    return text;
  if (auto text = map_contradiction("option", spec.options, there.options);
      !text.empty())
    return text;
  auto labels = spec.labels;
  std::erase_if(labels, [](const auto& x) {
    return is_adapter_label(x.first);
  });
  return map_contradiction("label", labels, there.labels);
}

result<network_status>
find_or_make(daemon_link& daemon, const wanted_network& wanted) {
  auto found = find(daemon, wanted);
  if (found || found.error().code != ec::not_found || wanted.must_exist)
    return found;
  auto spec = wanted.spec;
  spec.labels[std::string{wish_label}] = wish_of(wanted.spec);
  auto made = daemon.ask<network_status>(create_network{std::move(spec)});
  if (made || made.error().code != ec::conflict)
    return made;
  // Another call was faster, or a subnet is taken.
  found = find(daemon, wanted);
  return found || found.error().code != ec::not_found ? found : made;
}

} // namespace troupe::adapter
