#include "troupe/actors/doctor/doctor.hpp"
#include "troupe/actors/services/pins.hpp"
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

/// An endpoint whose packets the host forwards.
struct asker {
  std::string pin;
  std::string title;
  std::string bridge;
  bool may_talk = false; ///< To others of its network.
  ip_address gateway;    ///< The host, for it.
};

/// By sandbox; of those in a single network.
using asker_map = std::map<sandbox_id, std::vector<asker>>;

void add_askers(const netns::promised_network& network,
                const std::vector<const join_spec*>& joins, bool may_talk,
                asker_map& out) {
  for (size_t i = 0; i < network.members.size(); ++i)
    for (const auto& gateway : network.gateways)
      if (gateway.address.is_v4() ? network.leaves_ipv4 : network.leaves_ipv6)
        out[joins[i]->sandbox].push_back(
          {pin_name(joins[i]->sandbox), network.members[i].title,
           network.bridge, may_talk, gateway.address});
}

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

  // From a container of another network, or of this one, through the host,
  // which forwards it as it does what comes from outside.
  void add_forwarded(const netns::promised_network& network,
                     const std::vector<const join_spec*>& joins,
                     const asker_map& askers) {
    for (size_t i = 0; i < network.members.size(); ++i)
      for (const auto& port : network.members[i].published)
        if (port.proto == protocol::tcp && port.translated
            && port.host_port != 0 && !port.host_ip.is_loopback())
          if (const auto* x = find_asker(askers, port.host_ip.family(),
                                         joins[i]->sandbox, network.bridge))
            add(x->pin,
                port.host_ip.is_unspecified() ? x->gateway : port.host_ip,
                port.host_port, network.members[i].title,
                "from " + x->title + " to its published port");
  }

private:
  // Some sandbox that has nothing to do with the one that is asked for.
  static const asker*
  find_asker(const asker_map& askers, ip_family family, const sandbox_id& to,
             const std::string& bridge) {
    for (const auto& [sandbox, x] : askers)
      if (sandbox != to)
        for (const auto& one : x)
          if (one.gateway.family() == family
              && (one.bridge != bridge || one.may_talk))
            return &one;
    return nullptr;
  }

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
  auto askers = asker_map{};
  auto joins = std::map<network_id, std::vector<const join_spec*>>{};
  auto endpoints = std::set<endpoint_id>{};
  for (const auto& x : records.endpoints)
    endpoints.insert(x.id);
  for (const auto& x : records.joins)
    if (endpoints.contains(x.endpoint))
      joins[x.network].push_back(&x);
  auto next = promises.begin();
  auto shown = std::vector<const network_spec*>{}; // As in `promises`.
  for (const auto& x : records.networks) {
    const auto driver = drivers::make(x.driver, owner);
    if (driver->network_interface(x).empty())
      continue;
    const auto may_talk = driver->connects_endpoints(x);
    add_askers(*next, joins[x.id], may_talk, askers);
    collector.add(*next++, joins[x.id], may_talk);
    shown.push_back(&x);
  }
  // One in several networks has several ways to the host.
  std::erase_if(askers, [&](const auto& x) {
    return std::ranges::count(records.joins, x.first, &join_spec::sandbox) > 1;
  });
  for (size_t i = 0; i < promises.size(); ++i)
    collector.add_forwarded(promises[i], joins[shown[i]->id], askers);
  return result;
}

} // namespace troupe
