#include "troupe/tests/lab/invariants.hpp"

#include "troupe/netns/simulated/forwarding.hpp"

#include <algorithm>
#include <map>
#include <set>

namespace troupe::testing {

namespace {

using netns::simulated_link;
using netns::simulated_namespace;

std::string_view name_of(protocol x) {
  return x == protocol::tcp ? "tcp" : x == protocol::udp ? "udp" : "sctp";
}

/// Routes of ours that lead everywhere.
bool is_our_default(const netns::route_info& x) {
  return !x.destination && x.protocol == netns::made_by_troupe;
}

/// The drivers' generated names, spelt out again on purpose.
std::string bridge_of(const network_id& id) {
  return "br-" + id.brief();
}

std::string host_end_of(const endpoint_id& id) {
  return "trp" + id.brief();
}

std::string text_of(std::vector<interface_address> xs) {
  std::sort(xs.begin(), xs.end());
  auto text = std::string{};
  for (const auto& x : xs)
    text += " " + to_string(x);
  return text;
}

/// One comparison of kernel and store.
class inspection {
public:
  explicit inspection(const simulated_system& system)
    : owner_{system.owner()}, records_{system.disk->content},
      held_ports_{system.ports->held()}, seen_{system.world->view()} {
  }

  std::vector<std::string> run() {
    for (const auto& x : records_.networks)
      if (x.driver == "bridge")
        check_bridge(x);
    check_pins();
    for (const auto& x : records_.sandboxes)
      if (!x.use_host_namespace)
        check_sandbox(x);
    check_leftovers();
    check_rules();
    check_ports();
    for (auto& line : check_records(records_))
      say(line);
    return std::move(wrong_);
  }

private:
  void say(const std::string& line) {
    wrong_.push_back(line);
  }

  template <class T>
  void expect(const T& seen, const T& wanted, const std::string& what) {
    if (!(seen == wanted))
      say(what + " is wrong");
  }

  const simulated_namespace& host() const {
    return seen_.namespaces.front();
  }

  const network_spec* network(const network_id& id) const {
    for (const auto& x : records_.networks)
      if (x.id == id)
        return &x;
    return nullptr;
  }

  const endpoint_spec* endpoint(const endpoint_id& id) const {
    for (const auto& x : records_.endpoints)
      if (x.id == id)
        return &x;
    return nullptr;
  }

  const simulated_namespace* space(uint64_t inode) const {
    for (const auto& x : seen_.namespaces)
      if (inode != 0 && x.inode == inode)
        return &x;
    return nullptr;
  }

  void check_tag(const simulated_link& link, const std::string& id) {
    const auto& name = link.info.name;
    expect(link.info.group, owner_.link_group(), "group of " + name);
    expect(link.info.alias, owner_.alias(id), "alias of " + name);
    expect(link.info.up, true, "state of " + name);
  }

  void check_bridge(const network_spec& x);
  void check_pins();
  void check_sandbox(const sandbox_spec& x);
  void check_join(const join_spec& join, const simulated_namespace& inside);
  void check_way_back(const endpoint_spec& who, const simulated_link& link,
                      const simulated_namespace& inside);
  void check_host_end(const join_spec& join, const endpoint_spec& who,
                      const std::string& peer);
  void check_default_routes(const sandbox_spec& x,
                            const simulated_namespace& inside);
  const network_spec* gateway_network(const sandbox_spec& x, ip_family family,
                                      const join_spec** through) const;
  void check_leftovers();
  void check_rules();
  void check_ports();

  instance owner_;
  const persistence::snapshot& records_;
  std::vector<std::string> held_ports_;
  netns::simulated_view seen_;
  std::set<std::string> ours_on_host_;
  std::vector<std::string> wrong_;
};

void inspection::check_bridge(const network_spec& x) {
  const auto name = bridge_of(x.id);
  ours_on_host_.insert(name);
  const auto* link = find_link(host(), name);
  if (link == nullptr)
    return say("network " + x.name + ": bridge " + name + " is missing");
  check_tag(*link, x.id.value);
  expect(link->info.kind, std::string{"bridge"}, "kind of " + name);
  auto wanted = std::vector<interface_address>{};
  const auto is_isolated = [&](ip_family family) {
    const auto mode
      = x.options.find(std::string{"com.docker.network.bridge.gateway_mode_"}
                       + (family == ip_family::v4 ? "ipv4" : "ipv6"));
    return mode != x.options.end() && mode->second == "isolated";
  };
  for (const auto& pool : x.pools)
    if (pool.gateway && !is_isolated(pool.gateway->family()))
      wanted.push_back({*pool.gateway, pool.subnet->length()});
  if (text_of(link->addresses) != text_of(wanted))
    say("addresses of " + name + " are" + text_of(link->addresses) + ", not"
        + text_of(wanted));
}

/// The endpoint's first address of the family.
std::string address_text(const endpoint_spec& x, ip_family family) {
  for (const auto& at : x.addresses)
    if (at.address.family() == family)
      return to_string(at.address);
  return "none";
}

/// Per bridge network: whether packets may enter, for both families. Per join:
/// one guarded port. Per published port that the rules deliver: one entry of a
/// map. And no more of either.
void inspection::check_rules() {
  auto wanted = std::multiset<std::string>{};
  for (const auto& x : records_.networks)
    if (x.driver == "bridge")
      for (const auto* family : {"ipv4", "ipv6"})
        wanted.insert("enter " + std::string{family} + " . \"" + bridge_of(x.id)
                      + "\"");
  for (const auto& join : records_.joins) {
    const auto* net = network(join.network);
    if (net == nullptr || net->driver != "bridge")
      continue;
    wanted.insert("guard_mac \"" + host_end_of(join.endpoint) + "\"");
    const auto* who = endpoint(join.endpoint);
    // Without an address of the family it is the proxy that delivers.
    const auto has_family = [&](ip_family family) {
      return who != nullptr
             && std::ranges::any_of(who->addresses, [&](const auto& x) {
                  return x.address.family() == family;
                });
    };
    for (const auto& x : expanded(join.bindings))
      if (has_family(x.host_ip.family()) && x.host_port != 0)
        wanted.insert("publish" + std::string{x.host_ip.is_v4() ? "4" : "6"}
                      + "_any " + std::string{name_of(x.proto)} + " . "
                      + std::to_string(x.host_port));
      else if (has_family(x.host_ip.family())) // routed: no port of the host
        wanted.insert(std::string{x.host_ip.is_v4() ? "open4 " : "open6 "}
                      + address_text(*who, x.host_ip.family()) + " . "
                      + std::string{name_of(x.proto)} + " . "
                      + std::to_string(x.port));
  }
  auto seen = std::multiset<std::string>{};
  for (const auto& [table, elements] : host().firewalls)
    for (const auto& x : elements) {
      const auto set = std::string{schema_of(x.set).name};
      if (set != "enter" && set != "guard_mac" && !set.starts_with("publish")
          && !set.starts_with("open"))
        continue;
      auto text = to_text(x).value_or("?");
      const auto* end = set == "guard_mac" ? " . " : " : ";
      seen.insert(set + " " + text.substr(0, text.find(end)));
    }
  for (const auto& x : wanted)
    if (!seen.contains(x))
      say("rule " + x + " is missing");
  for (const auto& x : seen)
    if (!wanted.contains(x))
      say("rule " + x + " belongs to nobody");
}

/// Every published port is held, once, and no other.
void inspection::check_ports() {
  auto wanted = std::vector<std::string>{};
  for (const auto& join : records_.joins)
    for (const auto& x : expanded(join.bindings))
      if (x.host_port != 0)
        wanted.push_back(host_text(x.host_ip, x.host_port) + "/"
                         + std::string{name_of(x.proto)});
  std::ranges::sort(wanted);
  auto seen = held_ports_;
  std::ranges::sort(seen);
  if (seen == wanted)
    return;
  auto list = [](const std::vector<std::string>& xs) {
    auto text = std::string{};
    for (const auto& x : xs)
      text += " " + x;
    return text;
  };
  say("host ports held:" + list(seen) + ", recorded:" + list(wanted));
}

void inspection::check_pins() {
  auto wanted = std::map<std::string, uint64_t>{};
  for (const auto& x : records_.sandboxes)
    if (!x.use_host_namespace)
      wanted[x.id.brief()] = x.netns_inode;
  for (const auto& [name, inode] : seen_.pins) {
    auto found = wanted.find(name);
    if (found == wanted.end())
      say("pin " + name + " belongs to nobody");
    else if (found->second != inode)
      say("pin " + name + " leads to another namespace than recorded");
  }
  for (const auto& [name, inode] : wanted)
    if (!seen_.pins.contains(name))
      say("pin " + name + " is missing");
}

void inspection::check_sandbox(const sandbox_spec& x) {
  const auto* inside = space(x.netns_inode);
  if (inside == nullptr)
    return say("sandbox " + x.name + ": its namespace is gone");
  auto interfaces = std::set<std::string>{"lo"};
  for (const auto& join : records_.joins) {
    if (join.sandbox != x.id)
      continue;
    if (!interfaces.insert(join.interface).second)
      say("sandbox " + x.name + ": two interfaces " + join.interface);
    check_join(join, *inside);
  }
  for (const auto& link : inside->links)
    if (!interfaces.contains(link.info.name))
      say("sandbox " + x.name + ": interface " + link.info.name
          + " belongs to nobody");
  check_default_routes(x, *inside);
}

void inspection::check_join(const join_spec& join,
                            const simulated_namespace& inside) {
  const auto* who = endpoint(join.endpoint);
  if (who == nullptr)
    return say("a join of endpoint " + join.endpoint.brief()
               + " that has no record");
  const auto* link = find_link(inside, join.interface);
  if (link == nullptr)
    return say("endpoint " + who->name + ": interface "
               + join.interface + " is missing");
  check_host_end(join, *who, link->peer);
  expect(link->info.up, true, "state of interface of " + who->name);
  if (who->mac)
    expect(link->info.mac, *who->mac, "MAC of endpoint " + who->name);
  if (text_of(link->addresses) != text_of(who->addresses))
    say("addresses of endpoint " + who->name + " are" + text_of(link->addresses)
        + ", not" + text_of(who->addresses));
  check_way_back(*who, *link, inside);
}

/// What is sent from an address leaves by its interface: a rule leads to a
/// table whose routes do.
void inspection::check_way_back(const endpoint_spec& who,
                                const simulated_link& link,
                                const simulated_namespace& inside) {
  const auto* net = network(who.network);
  for (const auto& x : who.addresses) {
    auto leads_out = [&](const netns::rule_info& rule) {
      auto is_its = [&](const netns::route_info& route) {
        return route.table == rule.table && route.index == link.info.index
               && route.family == x.address.family()
               && (net == nullptr || net->internal || !route.destination);
      };
      return rule.from && rule.from->address() == x.address
             && std::ranges::any_of(inside.other_routes, is_its);
    };
    if (std::ranges::none_of(inside.rules, leads_out))
      say("endpoint " + who.name + ": answers from " + to_string(x)
          + " do not find back");
  }
}

void inspection::check_host_end(const join_spec& join, const endpoint_spec& who,
                                const std::string& peer) {
  const auto name = host_end_of(join.endpoint);
  ours_on_host_.insert(name);
  const auto* link = find_link(host(), name);
  if (link == nullptr)
    return say("endpoint " + who.name + ": link " + name + " is missing");
  check_tag(*link, join.endpoint.value);
  expect(peer, "host/" + name, "peer of endpoint " + who.name);
  const auto* bridge = find_link(host(), bridge_of(join.network));
  if (bridge == nullptr || link->info.master != bridge->info.index)
    say("link " + name + " is not on its bridge");
}

/// Highest priority, then gateways of more families, then the network's name,
/// then the interface's.
const network_spec*
inspection::gateway_network(const sandbox_spec& x, ip_family family,
                            const join_spec** through) const {
  auto best = std::tuple<int, int, std::string, size_t, std::string>{};
  const network_spec* result = nullptr;
  for (const auto& join : records_.joins) {
    const auto* net = network(join.network);
    const auto* who = endpoint(join.endpoint);
    if (join.sandbox != x.id || net == nullptr || who == nullptr
        || net->internal)
      continue;
    auto families = 0;
    auto has_family = false;
    for (const auto& pool : net->pools)
      if (pool.gateway) {
        ++families;
        has_family = has_family || pool.gateway->family() == family;
      }
    auto rank = std::tuple{-who->priority, -families, net->name,
                           join.interface.size(), join.interface};
    if (has_family && (result == nullptr || rank < best)) {
      best = rank;
      result = net;
      *through = &join;
    }
  }
  return result;
}

void inspection::check_default_routes(const sandbox_spec& x,
                                      const simulated_namespace& inside) {
  for (auto family : {ip_family::v4, ip_family::v6}) {
    auto wanted = std::string{};
    const join_spec* through = nullptr;
    if (const auto* net = gateway_network(x, family, &through))
      for (const auto& pool : net->pools)
        if (pool.gateway && pool.gateway->family() == family)
          wanted += " via " + to_string(*pool.gateway) + " dev "
                    + through->interface;
    auto seen = std::string{};
    for (const auto& route : inside.routes) {
      if (route.family != family || !is_our_default(route))
        continue;
      seen += " via " + (route.gateway ? to_string(*route.gateway) : "-");
      for (const auto& link : inside.links)
        if (link.info.index == route.index)
          seen += " dev " + link.info.name;
    }
    if (seen != wanted)
      say("sandbox " + x.name + ": default route is" + seen + ", not" + wanted);
  }
}

void inspection::check_leftovers() {
  for (const auto& link : host().links) {
    const auto& info = link.info;
    const auto ours
      = info.group == owner_.link_group() || info.group == owner_.trash_group()
        || info.alias.starts_with(owner_.alias(""))
        || info.name.starts_with("br-") || info.name.starts_with("tr");
    if (ours && !ours_on_host_.contains(info.name))
      say("link " + info.name + " belongs to nobody");
  }
  for (const auto& ns : seen_.namespaces)
    if (ns.label == "unnamed")
      say("a namespace that nobody can reach");
}

} // namespace

std::vector<std::string> check_world(const simulated_system& system) {
  return inspection{system}.run();
}

} // namespace troupe::testing
