#include "troupe/actors/doctor.hpp"
#include "troupe/actors/pins.hpp"
#include "troupe/drivers/registry.hpp"

#include <algorithm>
#include <map>
#include <set>

namespace troupe {

namespace {

using netns::firewall::make_element;
using netns::firewall::set_id;

netns::promised_network
promise_of(const network_spec& network, const drivers::driver& driver,
           const instance& owner) {
  auto result = netns::promised_network{};
  result.title = "network " + network.name + " (" + network.id.brief() + ")";
  result.bridge = driver.network_interface(network);
  result.group = owner.link_group();
  for (const auto& pool : network.pools)
    if (pool.subnet)
      result.subnets.push_back(*pool.subnet);
  result.gateways = driver.network_addresses(network);
  result.leaves_ipv4 = driver.needs_forwarding(network, ip_family::v4);
  result.leaves_ipv6 = driver.needs_forwarding(network, ip_family::v6);
  result.is_one = driver.connects_endpoints(network);
  const auto rules = driver.network_elements(network);
  auto masquerades = [&](ip_family family) {
    auto one = make_element(set_id::masquerade_from, {family, result.bridge});
    return rules && one && std::ranges::find(*rules, *one) != rules->end();
  };
  result.masquerades_ipv4 = masquerades(ip_family::v4);
  result.masquerades_ipv6 = masquerades(ip_family::v6);
  return result;
}

netns::promised_network::member
member_of(const network_spec& network, const endpoint_spec& endpoint,
          const join_spec& join, const drivers::driver& driver) {
  auto result = netns::promised_network::member{};
  result.title = "endpoint " + network.name + "/" + endpoint.name + " ("
                 + endpoint.id.brief() + ")";
  result.port = driver.host_interface(endpoint);
  for (const auto& x : endpoint.addresses)
    result.addresses.push_back(x.address);
  result.mac = endpoint.mac;
  for (const auto& x : join.bindings)
    if (auto way = driver.delivery(network, endpoint, x); way.target)
      result.published.push_back(
        {x.proto, x.port, x.host_ip, x.host_port, way.rules, way.proxy});
  return result;
}

} // namespace

std::vector<netns::promised_network>
promises_of(const persistence::snapshot& records, const instance& owner) {
  auto result = std::vector<netns::promised_network>{};
  auto places = std::map<network_id, size_t>{};
  auto specs = std::map<network_id, const network_spec*>{};
  for (const auto& x : records.networks) {
    const auto driver = drivers::make(x.driver, owner);
    if (driver->network_interface(x).empty())
      continue;
    places[x.id] = result.size();
    specs[x.id] = &x;
    result.push_back(promise_of(x, *driver, owner));
  }
  auto endpoints = std::map<endpoint_id, const endpoint_spec*>{};
  for (const auto& x : records.endpoints)
    endpoints[x.id] = &x;
  for (const auto& x : records.joins) {
    const auto place = places.find(x.network);
    const auto endpoint = endpoints.find(x.endpoint);
    if (place == places.end() || endpoint == endpoints.end())
      continue; // Told by the check of the join.
    const auto& network = *specs.at(x.network);
    const auto driver = drivers::make(network.driver, owner);
    result[place->second].members.push_back(
      member_of(network, *endpoint->second, x, *driver));
  }
  return result;
}

// -- ways ---------------------------------------------------------------------

namespace {

/// Adds the ways of one network's endpoints.
class way_collector {
public:
  explicit way_collector(std::vector<promised_way>& out) : out_{out} {
  }

  void add(const netns::promised_network& network,
           const std::vector<const join_spec*>& joins, bool may_talk) {
    for (size_t i = 0; i < network.members.size(); ++i) {
      const auto& x = network.members[i];
      const auto pin = pin_name(joins[i]->sandbox);
      for (const auto& address : x.addresses) {
        for (const auto& gateway : network.gateways)
          if (gateway.address.family() == address.family()) {
            add(pin, gateway.address, 1, x.title, "to its gateway");
            add({}, address, 1, x.title, "from the host to it");
          }
        const auto& next = network.members[(i + 1) % network.members.size()];
        if (may_talk && &next != &x)
          for (const auto& other : next.addresses)
            if (other.family() == address.family())
              add(pin, other, 1, x.title, "to its neighbour");
      }
      for (const auto& port : joins[i]->bindings)
        add_port(x, port);
    }
  }

private:
  // Only TCP says whether somebody is there.
  void
  add_port(const netns::promised_network::member& x, const port_binding& port) {
    if (port.proto != protocol::tcp || port.host_port == 0)
      return;
    auto to = port.host_ip;
    if (to.is_unspecified())
      to = *ip_address::parse(to.is_v4() ? "127.0.0.1" : "::1");
    add({}, to, port.host_port, x.title, "to its published port");
  }

  void add(const std::string& pin, const ip_address& to, uint16_t port,
           const std::string& object, const std::string& what) {
    auto text = what + " " + to_string(to);
    if (port != 1)
      text += ", port " + std::to_string(port);
    out_.push_back({{pin, to, port}, object, std::move(text)});
  }

  std::vector<promised_way>& out_;
};

} // namespace

std::vector<promised_way>
ways_of(const persistence::snapshot& records, const instance& owner) {
  auto result = std::vector<promised_way>{};
  auto collector = way_collector{result};
  const auto promises = promises_of(records, owner);
  auto joins = std::map<network_id, std::vector<const join_spec*>>{};
  auto endpoints = std::set<endpoint_id>{};
  for (const auto& x : records.endpoints)
    endpoints.insert(x.id);
  for (const auto& x : records.joins)
    if (endpoints.contains(x.endpoint))
      joins[x.network].push_back(&x);
  auto next = promises.begin();
  for (const auto& x : records.networks) {
    const auto driver = drivers::make(x.driver, owner);
    if (driver->network_interface(x).empty())
      continue;
    collector.add(*next++, joins[x.id], driver->connects_endpoints(x));
  }
  return result;
}

} // namespace troupe
