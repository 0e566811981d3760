#include "troupe/actors/doctor/doctor.hpp"

#include "troupe/actors/doctor/rules.hpp"
#include "troupe/actors/objects/joined_endpoints.hpp"
#include "troupe/actors/services/pins.hpp"
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

  // Networks and joins alone.
  std::vector<finding> compare_links() {
    index_records();
    for (const auto& network : views_.store.networks)
      check_network(network);
    for (const auto& [sandbox, joins] : joins_)
      if (auto pin = pins_by_name_.find(pin_name(sandbox));
          pin != pins_by_name_.end() && pin->second->inode != 0)
        for (const auto* join : joins)
          check_join(*join, *pin->second);
    return std::move(findings_);
  }

private:
  void index_records();
  void compare_actors();
  void check_addresses();
  void check_network(const network_spec& network);
  void check_sandbox(const sandbox_spec& sandbox);
  void check_join(const join_spec& join, const netns::audit_pin& pin);
  void check_host_end(const std::string& object, const std::string& name,
                      const drivers::endpoint_plan& plan);
  void
  check_inside(const std::string& object, const drivers::endpoint_plan& plan,
               const netns::audit_pin& pin);
  void
  check_overlaps(const std::string& object, const drivers::endpoint_plan& plan,
                 const netns::audit_pin& pin);
  void check_neighbours(const std::string& object,
                        const drivers::endpoint_plan& plan,
                        const netns::audit_pin& pin);
  void check_gateway(const sandbox_spec& sandbox, const netns::audit_pin& pin);
  void
  check_kernel_rules(const sandbox_spec& sandbox, const netns::audit_pin& pin);
  void want_links_of_joins();
  void check_leftovers();
  bool is_foreign(const netns::audit_link& link) const;
  void add_obstructions();

  /// Of a neighbour.
  using place = std::pair<int, ip_address>;

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
  std::map<int, std::vector<netns::route_info>> host_routes_; ///< By link.
  std::map<place, mac_address> host_neighbours_;
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
  for (const auto& x : views_.kernel.routes)
    host_routes_[x.index].push_back(x);
  for (const auto& x : views_.kernel.neighbours)
    host_neighbours_.emplace(place{x.index, x.address}, x.mac);
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
  auto seen = drivers::seen_interface{
    *link, link->bridge, link->addresses, host_routes_[link->index], {}};
  for (auto& line : driver->compare_network(network, seen))
    report(object, std::move(line), "mend it");
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
  check_kernel_rules(sandbox, *pin);
}

/// Rules that a namespace is born with are the container's to change; without
/// them nothing of ours is looked at.
void examination::check_kernel_rules(const sandbox_spec& sandbox,
                                     const netns::audit_pin& pin) {
  auto has = [&](bool v6) {
    return std::ranges::any_of(joins_[sandbox.id], [&](const auto* join) {
      const auto found = endpoints_.find(join->endpoint);
      return found != endpoints_.end()
             && std::ranges::any_of(found->second->addresses,
                                    [&](const auto& x) {
                                      return x.address.is_v4() != v6;
                                    });
    });
  };
  for (const auto& x : pin.lost_rules)
    if (has(x.starts_with("ip -6")))
      findings_.push_back(
        {"sandbox " + sandbox.name + " (" + sandbox.id.brief() + ")",
         "a rule of the kernel's own is missing inside: its "
         "routes are not looked at",
         "", false, "troupe sandbox exec " + sandbox.name + " -- " + x});
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
  const auto plan
    = drivers::endpoint_plan{*network->second,
                             *endpoint->second,
                             {{pin.name, pin.inode}, join.interface}};
  const auto host = driver->host_interface(*endpoint->second);
  if (!host.empty()) {
    check_host_end(object, host, plan);
  }
  if (join.interface.empty())
    return;
  check_inside(object, plan, pin);
  check_overlaps(object, plan, pin);
  check_neighbours(object, plan, pin);
}

void examination::check_host_end(const std::string& object,
                                 const std::string& name,
                                 const drivers::endpoint_plan& plan) {
  const auto* link = host_link(name);
  if (link == nullptr)
    return report(object, "link " + name + " is missing", "create it again");
  const auto driver = drivers::make(plan.network.driver, owner_);
  for (auto& line :
       driver->compare_host_end(plan, {*link, link->bridge, {}, {}, {}}))
    report(object, std::move(line), "mend it");
}

/// Default routes are looked at for the sandbox as a whole.
void examination::check_inside(const std::string& object,
                               const drivers::endpoint_plan& plan,
                               const netns::audit_pin& pin) {
  const auto* link = find_link(pin.links, plan.where.interface);
  if (link == nullptr)
    return report(object, "interface " + plan.where.interface + " is missing",
                  "create it again");
  auto seen
    = drivers::seen_interface{*link, {}, link->addresses, {}, pin.rules};
  for (const auto& x : pin.routes)
    if (x.index == link->index)
      seen.routes.push_back(x);
  const auto driver = drivers::make(plan.network.driver, owner_);
  for (auto& line : driver->compare_inside(plan, seen))
    report(object, std::move(line), "mend it");
}

void examination::check_overlaps(const std::string& object,
                                 const drivers::endpoint_plan& plan,
                                 const netns::audit_pin& pin) {
  auto addresses = std::vector<drivers::named_address>{};
  for (const auto& other : pin.links)
    for (const auto& x : other.addresses)
      addresses.push_back({other.name, x});
  for (const auto& line :
       drivers::find_overlaps(addresses, pin.rules, drivers::want_paths(plan)))
    report(object, line + ", in the endpoint's subnet",
           "take that address away");
}

/// Entries that lead the endpoint's packets elsewhere. On a bridge of the
/// user's they are the user's.
void examination::check_neighbours(const std::string& object,
                                   const drivers::endpoint_plan& plan,
                                   const netns::audit_pin& pin) {
  const auto driver = drivers::make(plan.network.driver, owner_);
  const auto* bridge = host_link(driver->network_interface(plan.network));
  if (bridge == nullptr)
    return;
  auto compare = [&](const std::map<place, mac_address>& known, int index,
                     const ip_address& address, const mac_address& wanted,
                     const std::string& interface, std::string repair) {
    const auto entry = known.find({index, address});
    if (entry == known.end() || entry->second == wanted)
      return;
    const auto text = to_string(address) + " dev " + interface;
    findings_.push_back({object,
                         interface + ": neighbour entry " + to_string(address)
                           + " is " + to_string(entry->second) + ", not "
                           + to_string(wanted),
                         std::move(repair), false, "ip neigh del " + text});
  };
  const auto is_ours = bridge->group == owner_.link_group()
                       || bridge->alias == owner_.alias(plan.network.id.value);
  if (plan.endpoint.mac)
    for (const auto& x : plan.endpoint.addresses)
      compare(host_neighbours_, bridge->index, x.address, *plan.endpoint.mac,
              bridge->name, is_ours ? "forget it" : "");
  const auto* inside = find_link(pin.links, plan.where.interface);
  if (inside == nullptr || pin.neighbours.empty())
    return;
  auto known = std::map<place, mac_address>{};
  for (const auto& x : pin.neighbours)
    known.emplace(place{x.index, x.address}, x.mac);
  for (const auto& x : driver->network_addresses(plan.network))
    compare(known, inside->index, x.address, bridge->mac, inside->name,
            "forget it");
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

// A sandbox may have lost no more than its pin.
void examination::want_links_of_joins() {
  for (const auto& x : views_.store.joins) {
    const auto endpoint = endpoints_.find(x.endpoint);
    if (endpoint == endpoints_.end())
      continue;
    const auto network = networks_.find(endpoint->second->network);
    if (network != networks_.end())
      wanted_links_.insert(drivers::make(network->second->driver, owner_)
                             ->host_interface(*endpoint->second));
  }
}

void examination::check_leftovers() {
  want_links_of_joins();
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

std::vector<finding>
compare_links(const persistence::snapshot& records,
              const netns::audit_view& kernel, const instance& owner) {
  auto views = doctor_views{};
  views.store = records;
  views.kernel = kernel;
  return examination{views, owner}.compare_links();
}

diagnosis diagnose(const doctor_views& views, const instance& owner) {
  return examination{views, owner}.run();
}

} // namespace troupe
