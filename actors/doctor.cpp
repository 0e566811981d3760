#include "troupe/actors/doctor.hpp"

#include "troupe/actors/doctor_rules.hpp"
#include "troupe/actors/joined_endpoints.hpp"
#include "troupe/actors/pins.hpp"
#include "troupe/drivers/inside/overlaps.hpp"
#include "troupe/drivers/registry.hpp"
#include "troupe/drivers/unknown.hpp"

#include <algorithm>
#include <map>
#include <set>

namespace troupe {

namespace {

class examination {
public:
  examination(const doctor_views& views, const instance& owner)
    : views_{views}, owner_{owner} {
  }

  diagnosis run() {
    index_records();
    compare_actors();
    check_addresses();
    if (views_.has_kernel) {
      for (const auto& network : views_.store.networks)
        check_network(network);
      for (const auto& sandbox : views_.store.sandboxes)
        check_sandbox(sandbox);
      check_leftovers();
      add_obstructions();
    }
    if (views_.kernel.rules)
      for (auto& x : diagnose_rules(views_.store, *views_.kernel.rules, owner_))
        findings_.push_back(std::move(x));
    return {std::move(findings_), std::move(links_), std::move(pins_)};
  }

private:
  void index_records();
  void compare_actors();
  void check_addresses();
  void check_network(const network_spec& network);
  void
  check_own_bridge(const std::string& object, const netns::audit_link& link);
  void check_port(const std::string& object, const netns::audit_link& link);
  void check_sandbox(const sandbox_spec& sandbox);
  void check_join(const join_spec& join, const netns::audit_pin& pin);
  void check_host_end(const std::string& object, const std::string& name,
                      const network_spec& network);
  void check_inside(const std::string& object, const join_spec& join,
                    const endpoint_spec& endpoint, const netns::audit_pin& pin);
  void
  check_paths(const std::string& object, const drivers::endpoint_plan& plan,
              const netns::audit_pin& pin);
  void check_gateway(const sandbox_spec& sandbox, const netns::audit_pin& pin);
  void check_shared_ports(const sandbox_spec& sandbox);
  void check_leftovers();
  bool is_foreign(const netns::audit_link& link) const;
  void add_obstructions();

  template <class Records, class Statuses>
  void compare(const std::string& kind, const Records& records,
               const Statuses& statuses);

  void report(std::string object, std::string problem, std::string repair) {
    findings_.push_back(
      {std::move(object), std::move(problem), std::move(repair), false});
  }

  const netns::audit_link* host_link(const std::string& name) const {
    auto found = host_links_.find(name);
    return found == host_links_.end() ? nullptr : found->second;
  }
  static const netns::audit_link*
  find_link(const std::vector<netns::audit_link>& links,
            const std::string& name) {
    auto found = std::find_if(links.begin(), links.end(), [&](const auto& x) {
      return x.name == name;
    });
    return found == links.end() ? nullptr : &*found;
  }

  const doctor_views& views_;
  instance owner_;
  std::vector<finding> findings_;
  std::vector<std::string> links_; ///< Left over.
  std::vector<std::string> pins_;
  std::map<network_id, const network_spec*> networks_;
  std::map<endpoint_id, const endpoint_spec*> endpoints_;
  std::map<sandbox_id, std::vector<const join_spec*>> joins_;
  // With thousands of endpoints a search for each would take seconds.
  std::map<std::string, const netns::audit_link*> host_links_;
  std::map<std::string, const netns::audit_pin*> pins_by_name_;
  std::set<endpoint_id> joined_;       ///< By record.
  std::set<std::string> wanted_links_; ///< On the host.
};

/// For a network whose record is missing, while it has endpoints.
bool stands_in(const network_status& x) {
  return x.spec.driver.empty();
}

template <class Status>
bool stands_in(const Status&) {
  return false;
}

bool has_address(const netns::audit_link& link, const ip_address& x) {
  return std::any_of(link.addresses.begin(), link.addresses.end(),
                     [&](const auto& y) {
                       return y.address == x;
                     });
}

std::string text_of(const std::optional<ip_address>& x) {
  return x ? to_string(*x) : "none";
}

void examination::index_records() {
  for (const auto& x : views_.store.networks)
    networks_[x.id] = &x;
  for (const auto& x : views_.store.endpoints)
    endpoints_[x.id] = &x;
  for (const auto& x : views_.store.joins) {
    joins_[x.sandbox].push_back(&x);
    joined_.insert(x.endpoint);
  }
  for (const auto& x : views_.kernel.links)
    host_links_.emplace(x.name, &x);
  for (const auto& x : views_.kernel.pins)
    pins_by_name_.emplace(x.name, &x);
}

// -- store against actors -----------------------------------------------------

template <class Records, class Statuses>
void examination::compare(const std::string& kind, const Records& records,
                          const Statuses& statuses) {
  auto known = std::map<std::string, std::string>{};
  for (const auto& x : records)
    known[x.id.value] = x.name;
  for (const auto& x : statuses)
    if (known.erase(x.spec.id.value) == 0)
      report(kind + " " + x.spec.name + " (" + x.spec.id.brief() + ")",
             "is in work but has no record",
             stands_in(x) ? "bring its record back, or remove its endpoints"
                          : "restart the daemon");
  for (const auto& [id, name] : known)
    report(kind + " " + name + " (" + id.substr(0, 12) + ")",
           "has a record but nobody works for it", "restart the daemon");
}

void examination::compare_actors() {
  compare("network", views_.store.networks, views_.networks);
  compare("endpoint", views_.store.endpoints, views_.endpoints);
  compare("sandbox", views_.store.sandboxes, views_.sandboxes);
  for (const auto& x : views_.endpoints) {
    const auto object = "endpoint " + x.network_name + "/" + x.spec.name;
    const auto recorded = joined_.contains(x.spec.id);
    if (recorded != x.sandbox.has_value())
      report(object,
             recorded ? "is recorded as joined but says it is not"
                      : "says it is joined but no record does",
             "restart the daemon");
  }
}

void examination::check_addresses() {
  auto held = std::map<std::pair<network_id, ip_address>, std::string>{};
  for (const auto& x : views_.store.endpoints)
    for (const auto& address : x.addresses) {
      const auto key = std::pair{x.network, address.address};
      if (auto [other, fresh] = held.emplace(key, x.name); !fresh)
        report("endpoint " + x.name,
               "address " + to_string(address) + " is also held by "
                 + other->second,
               "remove one of the two endpoints");
    }
}

// -- store against kernel -----------------------------------------------------

void examination::check_network(const network_spec& network) {
  const auto driver = drivers::make(network.driver, owner_);
  const auto name = driver->network_interface(network);
  const auto object
    = "network " + network.name + " (" + network.id.brief() + ")";
  if (!drivers::is_known(network.driver)) {
    const auto why = drivers::unknown_driver_error(network.driver);
    return report(object, why.message, why.hint);
  }
  if (name.empty())
    return;
  wanted_links_.insert(name);
  const auto* link = host_link(name);
  if (link == nullptr)
    return report(object, "bridge " + name + " is missing", "create it again");
  if (!link->up)
    report(object, "bridge " + name + " is down", "set it up");
  if (link->group == owner_.link_group())
    check_own_bridge(object, *link);
  for (const auto& x : driver->network_addresses(network))
    if (!has_address(*link, x.address))
      report(object,
             "bridge " + name + " lacks address " + to_string(x.address),
             "add it");
}

// What somebody has done to a bridge that we made. Of a user's own bridge it is
// the user's decision.
void examination::check_own_bridge(const std::string& object,
                                   const netns::audit_link& link) {
  const auto name = "bridge " + link.name;
  if (!link.master.empty())
    report(object, name + " is part of " + link.master, "take it out");
  if (!link.arp)
    report(object, name + " asks for no neighbours (ARP is off)",
           "switch it on");
  if (link.stp)
    report(object, name + " speaks the spanning tree protocol",
           "switch it off");
  if (link.vlan_filtering)
    report(object, name + " filters by VLAN", "switch it off");
}

void examination::check_port(const std::string& object,
                             const netns::audit_link& link) {
  const auto name = "link " + link.name;
  if (!link.arp)
    report(object, name + " asks for no neighbours (ARP is off)",
           "switch it on");
  if (link.blocked)
    report(object, name + " forwards no frames (port state)", "open it");
  if (!link.floods)
    report(object, name + " does not get all frames (flood flags)",
           "set its flags");
  if (link.locked)
    report(object, name + " may not send (locked port)", "set its flags");
}

void examination::check_sandbox(const sandbox_spec& sandbox) {
  if (sandbox.use_host_namespace)
    return;
  const auto object
    = "sandbox " + sandbox.name + " (" + sandbox.id.brief() + ")";
  const auto found = pins_by_name_.find(pin_name(sandbox.id));
  const auto* pin = found == pins_by_name_.end() ? nullptr : found->second;
  if (pin == nullptr || pin->inode == 0)
    return report(object, "its namespace is gone",
                  "make a new one and join its endpoints again");
  if (pin->inode != sandbox.netns_inode)
    return report(object,
                  "its pin leads to namespace " + std::to_string(pin->inode)
                    + ", not " + std::to_string(sandbox.netns_inode),
                  "make a new one and join its endpoints again");
  for (const auto* join : joins_[sandbox.id])
    check_join(*join, *pin);
  check_gateway(sandbox, *pin);
  check_shared_ports(sandbox);
}

void examination::check_join(const join_spec& join,
                             const netns::audit_pin& pin) {
  const auto endpoint = endpoints_.find(join.endpoint);
  const auto network = networks_.find(join.network);
  if (endpoint == endpoints_.end() || network == networks_.end())
    return report("join of endpoint " + join.endpoint.brief(),
                  "its endpoint or network has no record",
                  "restart the daemon");
  const auto object = "endpoint " + network->second->name + "/"
                      + endpoint->second->name + " (" + join.endpoint.brief()
                      + ")";
  const auto driver = drivers::make(network->second->driver, owner_);
  const auto host = driver->host_interface(*endpoint->second);
  if (!host.empty()) {
    wanted_links_.insert(host);
    check_host_end(object, host, *network->second);
  }
  if (join.interface.empty())
    return;
  check_inside(object, join, *endpoint->second, pin);
  check_paths(object,
              {*network->second, *endpoint->second, {{}, join.interface}}, pin);
}

void examination::check_host_end(const std::string& object,
                                 const std::string& name,
                                 const network_spec& network) {
  const auto* link = host_link(name);
  if (link == nullptr)
    return report(object, "link " + name + " is missing", "create it again");
  const auto bridge
    = drivers::make(network.driver, owner_)->network_interface(network);
  if (link->master != bridge)
    report(object, "link " + name + " is not on bridge " + bridge,
           "put it there");
  if (!link->up)
    report(object, "link " + name + " is down", "set it up");
  if (link->group != owner_.link_group())
    report(object, "link " + name + " is not in our interface group",
           "put it there");
  check_port(object, *link);
}

void examination::check_inside(const std::string& object, const join_spec& join,
                               const endpoint_spec& endpoint,
                               const netns::audit_pin& pin) {
  const auto* link = find_link(pin.links, join.interface);
  if (link == nullptr)
    return report(object, "interface " + join.interface + " is missing",
                  "create it again");
  if (!link->up)
    report(object, "interface " + join.interface + " is down", "set it up");
  if (endpoint.mac && link->mac != *endpoint.mac)
    report(object,
           "interface " + join.interface + " has MAC " + to_string(link->mac)
             + ", not " + to_string(*endpoint.mac),
           "set it");
  for (const auto& address : endpoint.addresses)
    if (!has_address(*link, address.address))
      report(object,
             "interface " + join.interface + " lacks address "
               + to_string(address),
             "add it");
}

/// Default routes are looked at for the sandbox as a whole.
void examination::check_paths(const std::string& object,
                              const drivers::endpoint_plan& plan,
                              const netns::audit_pin& pin) {
  const auto* link = find_link(pin.links, plan.where.interface);
  if (link == nullptr || !link->up)
    return; // Said already, and without it there is none.
  const auto wanted = drivers::want_paths(plan);
  const auto found
    = drivers::compare_paths({pin.routes, pin.rules}, wanted, link->index);
  for (const auto& line : found)
    report(object, "interface " + plan.where.interface + ": " + line,
           "set routes and rules");
  auto addresses = std::vector<drivers::named_address>{};
  for (const auto& other : pin.links)
    for (const auto& x : other.addresses)
      addresses.push_back({other.name, x});
  for (const auto& line : drivers::find_overlaps(addresses, pin.rules, wanted))
    report(object, line + ", in the endpoint's subnet",
           "take that address away");
}

void examination::check_gateway(const sandbox_spec& sandbox,
                                const netns::audit_pin& pin) {
  auto table = joined_endpoints{};
  for (const auto* join : joins_[sandbox.id]) {
    const auto endpoint = endpoints_.find(join->endpoint);
    const auto network = networks_.find(join->network);
    if (endpoint == endpoints_.end() || network == networks_.end())
      return;
    auto facts = describe_join(*network->second, *endpoint->second);
    facts.interface = join->interface;
    table.add(std::move(facts));
  }
  const auto object
    = "sandbox " + sandbox.name + " (" + sandbox.id.brief() + ")";
  auto check = [&](ip_family family, const std::optional<ip_address>& is) {
    const auto route = table.route(family);
    const auto wanted = route ? std::optional{route->gateway} : std::nullopt;
    // A route without one of ours is the container's own business.
    if (wanted && wanted != is)
      report(object,
             std::string{family == ip_family::v4 ? "IPv4" : "IPv6"}
               + " default route goes to " + text_of(is) + ", not "
               + text_of(wanted),
             "set it");
  };
  check(ip_family::v4, pin.gateway);
  check(ip_family::v6, pin.gateway_v6);
}

// Its port tells to which network the answers of a server belong that says no
// address; so two of them cannot have the same.
void examination::check_shared_ports(const sandbox_spec& sandbox) {
  struct side {
    std::string title;
    drivers::wanted_paths paths;
  };
  auto sides = std::vector<side>{};
  for (const auto* join : joins_[sandbox.id]) {
    const auto endpoint = endpoints_.find(join->endpoint);
    const auto network = networks_.find(join->network);
    if (endpoint == endpoints_.end() || network == networks_.end())
      continue; // Told by the check of the join.
    auto paths = drivers::want_paths(
      {*network->second, *endpoint->second, {{}, join->interface}});
    if (!paths.udp_ports.empty())
      sides.push_back({network->second->name + "/" + endpoint->second->name,
                       std::move(paths)});
  }
  for (size_t i = 0; i < sides.size(); ++i)
    for (auto k = i + 1; k < sides.size(); ++k)
      for (const auto& port :
           drivers::shared_udp_ports(sides[i].paths, sides[k].paths))
        report("sandbox " + sandbox.name + " (" + sandbox.id.brief() + ")",
               "UDP port " + port + " is published by " + sides[i].title
                 + " and " + sides[k].title
                 + ": a server bound to no address answers by one of the two "
                   "networks only",
               "bind the server to both addresses, or publish the port in one "
               "network only");
}

/// Does it carry the id of an object of a driver that only another version has?
bool examination::is_foreign(const netns::audit_link& link) const {
  const auto id = link.alias.substr(link.alias.rfind(':') + 1);
  const auto endpoint = endpoints_.find({id});
  const auto network = networks_.find(
    endpoint == endpoints_.end() ? network_id{id} : endpoint->second->network);
  if (network == networks_.end())
    return endpoint != endpoints_.end();
  return !drivers::is_known(network->second->driver);
}

void examination::check_leftovers() {
  for (const auto& link : views_.kernel.links)
    if ((link.group == owner_.link_group()
         || link.group == owner_.trash_group())
        && !wanted_links_.contains(link.name) && !is_foreign(link)) {
      report("link " + link.name, "carries our tag but belongs to no record",
             "remove it");
      links_.push_back(link.name);
    }
  auto wanted = std::set<std::string>{};
  for (const auto& x : views_.store.sandboxes)
    wanted.insert(pin_name(x.id));
  for (const auto& pin : views_.kernel.pins)
    if (!wanted.contains(pin.name)) {
      report("namespace " + pin.name, "belongs to no record", "remove it");
      pins_.push_back(pin.name);
    }
}

void examination::add_obstructions() {
  using owner = netns::obstruction::owner;
  for (const auto& x : views_.kernel.obstructions) {
    auto found = finding{x.object, x.problem, "", false, x.command};
    if (x.whose == owner::ours)
      found.repair = "mend it";
    else if (x.whose == owner::setting && views_.ip_forward)
      found.repair = "switch it on";
    findings_.push_back(std::move(found));
  }
}

} // namespace

diagnosis diagnose(const doctor_views& views, const instance& owner) {
  return examination{views, owner}.run();
}

} // namespace troupe
