#include "troupe/actors/objects/network_book.hpp"

#include <algorithm>

namespace troupe {

namespace {

/// Address books need no state of the IPAM driver, so any instance will do.
result<std::unique_ptr<ipam::driver>> address_books(const std::string& name) {
  if (name == "null")
    return ipam::make_null();
  if (name == "default")
    return ipam::make_default({}, {});
  return fail(ec::unsupported,
              "this program has no IPAM driver " + quoted(name),
              "run the version that made the network, or remove it");
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

network_book network_book::reopen(const network_spec& network,
                                  std::vector<std::string>& problems) {
  auto book = network_book{};
  auto driver = address_books(network.ipam_driver);
  if (!driver) {
    problems.push_back(driver.error().message);
    return book;
  }
  for (auto pool : network.pools) {
    if (!pool.subnet) {
      problems.emplace_back("a pool of its record has no subnet");
      continue;
    }
    if (pool.ip_range && !pool.subnet->contains(*pool.ip_range)) {
      problems.push_back("range " + to_string(*pool.ip_range)
                         + " is not in subnet " + to_string(*pool.subnet));
      pool.ip_range.reset();
    }
    auto addresses = (*driver)->open({{}, *pool.subnet, pool.ip_range});
    if (auto fixed = claim_fixed(*addresses, pool); !fixed)
      problems.push_back(fixed.error().message);
    book.pools_.push_back({*pool.subnet, std::move(addresses)});
  }
  return book;
}

result<void> network_book::check_name_free(const network_spec& network,
                                           const std::string& name) const {
  if (names_.id_of_name(name).empty())
    return {};
  return fail(ec::conflict, "create endpoint " + quoted(name) + ": network "
                              + quoted(network.name)
                              + " has an endpoint of this name");
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
  auto& held = holdings_[endpoint.id];
  for (const auto& x : endpoint.addresses)
    held.addresses.push_back(x.address);
  held.mac = endpoint.mac;
  names_.add(endpoint.id.value, endpoint.name);
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
  for (const auto& address : endpoint.addresses)
    if (!endpoint.mac && address.address.is_v6())
      endpoint.mac = mac_address::from_ipv6(address.address);
  // Only a user's own choice can collide with a derived one, or by chance.
  while (!endpoint.mac || !macs_.insert(*endpoint.mac).second)
    endpoint.mac = mac_address::random();
  return {};
}

std::vector<std::string> network_book::restore(const endpoint_spec& endpoint) {
  auto problems = std::vector<std::string>{};
  const auto title
    = "endpoint " + quoted(endpoint.name) + " (" + endpoint.id.brief() + "): ";
  if (!names_.id_of_name(endpoint.name).empty())
    problems.push_back(title + "another endpoint has this name");
  auto& held = holdings_[endpoint.id];
  for (const auto& x : endpoint.addresses) {
    auto* pool = pool_for(x.address);
    if (pool == nullptr)
      problems.push_back(title + "address " + to_string(x)
                         + " is in no subnet of its network");
    else if (auto claimed = pool->claim(x.address); !claimed)
      problems.push_back(title + claimed.error().message);
    else
      held.addresses.push_back(x.address);
  }
  if (endpoint.mac) {
    if (macs_.insert(*endpoint.mac).second)
      held.mac = endpoint.mac;
    else
      problems.push_back(title + "another endpoint has MAC address "
                         + to_string(*endpoint.mac));
  }
  names_.add(endpoint.id.value, endpoint.name);
  return problems;
}

void network_book::release(const endpoint_id& endpoint) {
  auto found = holdings_.find(endpoint);
  if (found == holdings_.end())
    return;
  names_.remove(endpoint.value);
  for (const auto& address : found->second.addresses)
    if (auto* pool = pool_for(address))
      pool->release(address);
  if (found->second.mac)
    macs_.erase(*found->second.mac);
  holdings_.erase(found);
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
