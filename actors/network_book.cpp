#include "troupe/actors/network_book.hpp"

#include <algorithm>

namespace troupe {

namespace {

/// Address books need no state of the IPAM driver, so any instance will do.
result<std::unique_ptr<ipam::driver>> address_books(const std::string& name) {
  if (name == "null")
    return ipam::make_null();
  return ipam::make_default({}, {});
}

/// Claims the gateway: the one asked for, else the first free address of the
/// range or subnet.
result<void> claim_gateway(ipam::address_pool& addresses, ipam_pool& pool) {
  auto claimed
    = pool.gateway ? addresses.claim(*pool.gateway) : addresses.claim_any();
  if (!claimed)
    return fail(
      with_context(std::move(claimed.error()),
                   "claim the gateway of " + to_string(*pool.subnet)));
  pool.gateway = claimed->address;
  return {};
}

result<void> claim_fixed(ipam::address_pool& addresses, ipam_pool& pool) {
  // Auxiliary addresses first, so that an automatic gateway avoids them.
  for (const auto& [name, address] : pool.aux_addresses)
    if (auto claimed = addresses.claim(address); !claimed)
      return fail(with_context(std::move(claimed.error()),
                               "claim the auxiliary address " + quoted(name)));
  return claim_gateway(addresses, pool);
}

} // namespace

result<network_book> network_book::open(network_spec& network) {
  auto book = network_book{};
  if (network.pools.empty())
    return book;
  auto driver = address_books(network.ipam_driver);
  if (!driver)
    return fail(std::move(driver.error()));
  for (auto& pool : network.pools) {
    auto addresses = (*driver)->open({{}, *pool.subnet, pool.ip_range});
    if (auto fixed = claim_fixed(*addresses, pool); !fixed)
      return fail(std::move(fixed.error()));
    book.pools_.push_back({*pool.subnet, std::move(addresses)});
  }
  return book;
}

result<void> network_book::check_name_free(const network_spec& network,
                                           const std::string& name) const {
  for (const auto& [id, taken] : names_)
    if (taken == name)
      return fail(ec::conflict, "create endpoint " + quoted(name) + ": network "
                                  + quoted(network.name)
                                  + " has an endpoint of this name");
  return {};
}

result<void>
network_book::claim(const network_spec& network, endpoint_spec& endpoint) {
  if (auto free = check_name_free(network, endpoint.name); !free)
    return free;
  auto wanted = endpoint;
  endpoint.addresses.clear();
  auto claimed = claim_addresses(network, endpoint);
  if (claimed)
    claimed = claim_mac(endpoint);
  if (!claimed) {
    for (const auto& address : endpoint.addresses)
      if (auto* pool = pool_for(address.address))
        pool->release(address.address);
    endpoint = std::move(wanted);
    return fail(with_context(std::move(claimed.error()),
                             "create endpoint " + quoted(endpoint.name)));
  }
  names_.emplace(endpoint.id.value, endpoint.name);
  return {};
}

result<void> network_book::claim_addresses(const network_spec& network,
                                           endpoint_spec& endpoint) {
  for (auto family : {ip_family::v4, ip_family::v6}) {
    const auto& wanted
      = family == ip_family::v4 ? endpoint.ipv4 : endpoint.ipv6;
    if (pool_for(family) != nullptr) {
      if (auto claimed = claim_address(wanted, family, endpoint); !claimed)
        return claimed;
    } else if (wanted) {
      return fail(ec::invalid_argument,
                  "claim address " + to_string(*wanted) + ": network "
                    + quoted(network.name) + " has no "
                    + (family == ip_family::v4 ? "IPv4" : "IPv6") + " subnet");
    }
  }
  return {};
}

result<void>
network_book::claim_address(const std::optional<ip_address>& wanted,
                            ip_family family, endpoint_spec& endpoint) {
  auto* pool = wanted ? pool_for(*wanted) : pool_for(family);
  // An address outside every subnet is refused by the first pool's own words.
  if (pool == nullptr)
    pool = pool_for(family);
  auto claimed = wanted ? pool->claim(*wanted) : pool->claim_any();
  if (!claimed)
    return fail(std::move(claimed.error()));
  endpoint.addresses.push_back(*claimed);
  return {};
}

result<void> network_book::claim_mac(endpoint_spec& endpoint) {
  if (endpoint.mac) {
    if (endpoint.mac->is_multicast() || endpoint.mac->is_zero())
      return fail(ec::invalid_argument,
                  "use MAC address " + to_string(*endpoint.mac)
                    + ": not a unicast address",
                  "the first byte must be even, e.g. 02:42:…");
    if (!macs_.insert(*endpoint.mac).second)
      return fail(ec::conflict, "use MAC address " + to_string(*endpoint.mac)
                                  + ": taken in this network");
    return {};
  }
  for (const auto& address : endpoint.addresses)
    if (address.address.is_v4())
      endpoint.mac = mac_address::from_ipv4(address.address);
  // Only a user's own choice can collide with a derived one.
  while (!endpoint.mac || !macs_.insert(*endpoint.mac).second)
    endpoint.mac = mac_address::random();
  return {};
}

result<void> network_book::restore(const endpoint_spec& endpoint) {
  for (const auto& address : endpoint.addresses) {
    auto* pool = pool_for(address.address);
    if (pool == nullptr)
      return fail(ec::conflict, "restore endpoint " + quoted(endpoint.name)
                                  + ": address " + to_string(address)
                                  + " is in no subnet of its network");
    if (auto claimed = pool->claim(address.address); !claimed)
      return fail(with_context(std::move(claimed.error()),
                               "restore endpoint " + quoted(endpoint.name)));
  }
  if (endpoint.mac)
    macs_.insert(*endpoint.mac);
  names_.emplace(endpoint.id.value, endpoint.name);
  return {};
}

void network_book::release(const endpoint_spec& endpoint) {
  if (names_.erase(endpoint.id.value) == 0)
    return;
  for (const auto& address : endpoint.addresses)
    if (auto* pool = pool_for(address.address))
      pool->release(address.address);
  if (endpoint.mac)
    macs_.erase(*endpoint.mac);
}

ipam::address_pool* network_book::pool_for(ip_family family) {
  for (auto& pool : pools_)
    if (pool.subnet.family() == family)
      return pool.addresses.get();
  return nullptr;
}

ipam::address_pool* network_book::pool_for(const ip_address& x) {
  for (auto& pool : pools_)
    if (pool.subnet.contains(x))
      return pool.addresses.get();
  return nullptr;
}

} // namespace troupe
