#include "troupe/actors/objects/admission.hpp"

#include "troupe/config/model/nearest.hpp"
#include "troupe/config/model/text.hpp"
#include "troupe/drivers/options.hpp"
#include "troupe/drivers/registry.hpp"

#include <algorithm>
#include <chrono>

namespace troupe {

namespace {

error refuse_network(const network_spec& wanted, ec code, std::string reason,
                     std::string hint = {}) {
  return {code, "create network " + quoted(wanted.name) + ": " + reason,
          std::move(hint), 0};
}

result<std::unique_ptr<drivers::driver>>
driver_of(const network_spec& wanted, const instance& owner) {
  if (drivers::is_known(wanted.driver))
    return drivers::make(wanted.driver, owner);
  auto hint = std::string{"drivers:"};
  for (auto name : drivers::names())
    hint.append(" ").append(name);
  return fail(refuse_network(wanted, ec::not_found,
                             "unknown driver " + quoted(wanted.driver), hint));
}

result<void> check_pool(const network_spec& wanted, const ipam_pool& pool) {
  if (!pool.subnet)
    return {};
  const auto& subnet = *pool.subnet;
  auto inside = [&](const ip_address& x, std::string what) -> result<void> {
    if (subnet.contains(x))
      return {};
    return fail(refuse_network(wanted, ec::invalid_argument,
                               what + " " + to_string(x) + " is not in subnet "
                                 + to_string(subnet)));
  };
  if (pool.ip_range && !subnet.contains(*pool.ip_range))
    return fail(refuse_network(wanted, ec::invalid_argument,
                               "range " + to_string(*pool.ip_range)
                                 + " is not in subnet " + to_string(subnet)));
  if (pool.gateway)
    if (auto ok = inside(*pool.gateway, "gateway"); !ok)
      return ok;
  for (const auto& [name, address] : pool.aux_addresses)
    if (auto ok = inside(address, "auxiliary address " + quoted(name)); !ok)
      return ok;
  return {};
}

ip_family family_of(const ipam_pool& pool) {
  if (pool.subnet)
    return pool.subnet->family();
  return pool.gateway ? pool.gateway->family() : ip_family::v4;
}

bool has_pool(const network_spec& network, ip_family family) {
  return std::any_of(network.pools.begin(), network.pools.end(),
                     [&](const auto& x) {
                       return family_of(x) == family;
                     });
}

/// A pool of a family that is off is refused.
result<void> check_families(network_spec& wanted) {
  // An IPv6 subnet says clearly enough that IPv6 is wanted.
  if (has_pool(wanted, ip_family::v6))
    wanted.enable_ipv6 = true;
  if (has_pool(wanted, ip_family::v4) && !wanted.enable_ipv4)
    return fail(refuse_network(wanted, ec::invalid_argument,
                               "an IPv4 subnet is given but IPv4 is off"));
  if (!wanted.enable_ipv4 && !wanted.enable_ipv6)
    return fail(refuse_network(wanted, ec::invalid_argument,
                               "IPv4 and IPv6 are both off"));
  return {};
}

result<void> check_pools(network_spec& wanted) {
  if (wanted.ipam_driver != "default" && wanted.ipam_driver != "null")
    return fail(
      refuse_network(wanted, ec::not_found,
                     "unknown IPAM driver " + quoted(wanted.ipam_driver),
                     "IPAM drivers: default null"));
  if (wanted.ipam_driver == "null")
    return {};
  for (const auto& pool : wanted.pools)
    if (auto ok = check_pool(wanted, pool); !ok)
      return ok;
  return check_families(wanted);
}

result<void>
check_neighbours(const network_spec& wanted, const drivers::driver& driver,
                 const std::vector<std::shared_ptr<const network_spec>>& all) {
  for (const auto& other : all) {
    if (other->name == wanted.name)
      return fail(
        refuse_network(wanted, ec::conflict,
                       "the name is taken by network " + other->id.brief()));
    if (other->driver != wanted.driver)
      continue;
    if (driver.features().single_network)
      return fail(refuse_network(wanted, ec::forbidden,
                                 "only one network of driver "
                                   + quoted(wanted.driver) + " is allowed, "
                                   + quoted(other->name) + " exists"));
    if (auto ok = driver.check_conflict(wanted, *other); !ok)
      return ok;
  }
  return {};
}

} // namespace

namespace {

constexpr size_t max_aux_bytes = 128;
constexpr size_t max_path_bytes = 4'095;

/// What a user may call and tell things, as it ends in records, lists and
/// terminals.
result<void> check_texts(const text_map& labels, const text_map& options) {
  for (const auto& [key, value] : labels)
    if (drivers::is_driver_label(key))
      return fail(ec::invalid_argument,
                  "label " + quoted(key) + ": has no effect as a label",
                  "give it as a driver option, with -o");
  if (auto ok = check_text_map(labels, "label"); !ok)
    return ok;
  return check_text_map(options, "option");
}

} // namespace

void complete_pools(network_spec& network) {
  const auto any_v4 = prefix{};
  const auto any_v6 = prefix{ip_address::from_number(ip_family::v6, 0), 0};
  for (auto& pool : network.pools)
    if (!pool.subnet)
      pool.subnet = family_of(pool) == ip_family::v4 ? any_v4 : any_v6;
  if (network.enable_ipv4 && !has_pool(network, ip_family::v4))
    network.pools.insert(network.pools.begin(), ipam_pool{any_v4, {}, {}, {}});
  if (network.enable_ipv6 && !has_pool(network, ip_family::v6))
    network.pools.push_back(ipam_pool{any_v6, {}, {}, {}});
}

int64_t unix_time_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch())
    .count();
}

result<void> admit_network(
  network_spec& wanted, const instance& owner,
  const std::vector<std::shared_ptr<const network_spec>>& existing) {
  if (auto ok = check_name(wanted.name, "network"); !ok)
    return ok;
  if (!wanted.id.empty())
    return fail(refuse_network(wanted, ec::invalid_argument,
                               "the id is not the caller's to choose"));
  auto driver = driver_of(wanted, owner);
  if (!driver)
    return fail(std::move(driver.error()));
  if ((*driver)->features().uses_addresses) {
    if (auto ok = check_pools(wanted); !ok)
      return ok;
  } else if (!wanted.pools.empty()) {
    return fail(refuse_network(wanted, ec::invalid_argument,
                               "driver " + quoted(wanted.driver)
                                 + " has no addresses, a subnet is given"));
  }
  if (auto ok = check_texts(wanted.labels, wanted.options); !ok)
    return fail(with_context(std::move(ok.error()),
                             "create network " + quoted(wanted.name)));
  for (const auto& pool : wanted.pools)
    for (const auto& [name, address] : pool.aux_addresses)
      if (auto ok = check_text(name, "auxiliary address", max_aux_bytes); !ok)
        return fail(with_context(std::move(ok.error()),
                                 "create network " + quoted(wanted.name)));
  if (auto ok = (*driver)->resolve(wanted, existing); !ok)
    return fail(with_context(std::move(ok.error()),
                             "create network " + quoted(wanted.name)));
  wanted.id = network_id::random();
  wanted.created_ms = unix_time_ms();
  auto admitted = (*driver)->validate(wanted);
  if (admitted)
    admitted = check_neighbours(wanted, **driver, existing);
  return admitted;
}

result<void>
check_ports(const std::vector<port_spec>& ports, const network_spec& network,
            const drivers::driver& driver) {
  if (ports.empty())
    return {};
  const auto can_publish = [&](ip_family family) {
    return driver.publishing(network, family) != drivers::publish_mode::none;
  };
  if (!can_publish(ip_family::v4) && !can_publish(ip_family::v6))
    return fail(ec::forbidden,
                "network " + quoted(network.name) + " publishes no ports: "
                  + (network.internal
                       ? "it is internal"
                       : "driver " + network.driver + " does not"));
  for (const auto& x : ports)
    if (auto ok = check_port(x); !ok)
      return ok;
  return {};
}

result<void> admit_endpoint(endpoint_spec& wanted, const network_spec& network,
                            const drivers::driver& driver) {
  if (auto ok = check_name(wanted.name, "endpoint"); !ok)
    return ok;
  if (!wanted.id.empty() || !wanted.network.empty()
      || !wanted.addresses.empty())
    return fail(ec::invalid_argument,
                "create endpoint " + quoted(wanted.name)
                  + ": id, network and addresses are not the caller's to fill",
                "ask for an address with ipv4 or ipv6");
  if (auto ok = check_texts(wanted.labels, wanted.options); !ok)
    return fail(with_context(std::move(ok.error()),
                             "create endpoint " + quoted(wanted.name)));
  if (wanted.ipv4 && !wanted.ipv4->is_v4())
    return fail(ec::invalid_argument, "create endpoint " + quoted(wanted.name)
                                        + ": ipv4 is an IPv6 address");
  if (wanted.ipv6 && !wanted.ipv6->is_v6())
    return fail(ec::invalid_argument, "create endpoint " + quoted(wanted.name)
                                        + ": ipv6 is an IPv4 address");
  if (auto ok = check_ports(wanted.ports, network, driver); !ok)
    return fail(with_context(std::move(ok.error()),
                             "create endpoint " + quoted(wanted.name)));
  if (auto ok = driver.validate_endpoint(network, wanted); !ok)
    return ok;
  wanted.id = endpoint_id::random();
  wanted.network = network.id;
  wanted.created_ms = unix_time_ms();
  return {};
}

result<void> admit_sandbox(sandbox_spec& wanted) {
  if (auto ok = check_name(wanted.name, "sandbox"); !ok)
    return ok;
  auto refuse = [&](std::string reason) {
    return fail(ec::invalid_argument,
                "create sandbox " + quoted(wanted.name) + ": " + reason);
  };
  if (!wanted.id.empty() || wanted.netns_inode != 0)
    return refuse("id and inode are not the caller's to fill");
  if (wanted.use_host_namespace && !wanted.netns_path.empty())
    return refuse(
      "a namespace path and the host's namespace exclude each other");
  for (auto ok :
       {check_host_name(wanted.hostname, "hostname", max_hostname_bytes),
        check_host_name(wanted.domainname, "domainname", max_domainname_bytes),
        check_text(wanted.netns_path, "namespace path", max_path_bytes),
        check_texts(wanted.labels, {})})
    if (!ok)
      return fail(with_context(std::move(ok.error()),
                               "create sandbox " + quoted(wanted.name)));
  if (!wanted.netns_path.empty() && wanted.netns_path.front() != '/')
    return refuse("namespace path " + quoted(wanted.netns_path)
                  + " is not absolute");
  wanted.id = sandbox_id::random();
  wanted.created_ms = unix_time_ms();
  return {};
}

} // namespace troupe
