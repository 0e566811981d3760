#include "troupe/actors/check/host_check.hpp"

#include "troupe/actors/check/host_rules.hpp"
#include "troupe/actors/check/record_check.hpp"
#include "troupe/actors/doctor/doctor.hpp"

#include <algorithm>
#include <set>
#include <tuple>

namespace troupe::testing {

namespace {

using netns::audit_link;
using netns::audit_pin;

std::string text_of(std::vector<interface_address> xs) {
  std::ranges::sort(xs);
  auto text = std::string{};
  for (const auto& x : xs)
    text += " " + to_string(x);
  return text.empty() ? " none" : text;
}

const audit_link*
find_link(const std::vector<audit_link>& links, const std::string& name) {
  auto found = std::ranges::find(links, name, &audit_link::name);
  return found == links.end() ? nullptr : &*found;
}

/// One comparison of kernel and records.
class inspection {
public:
  explicit inspection(const host_view& seen)
    : seen_{seen}, records_{seen.records} {
  }

  std::vector<std::string> run() {
    for (const auto& x : records_.networks)
      if (x.driver == "bridge")
        check_bridge(x);
    for (const auto& x : records_.sandboxes)
      if (!x.use_host_namespace)
        check_sandbox(x);
    check_leftovers();
    if (seen_.kernel.rules)
      for (auto& line : check_rules(records_, *seen_.kernel.rules))
        say(std::move(line));
    for (auto& line : check_connections(records_, seen_.connections))
      say(std::move(line));
    for (auto& line : check_records(records_))
      say(std::move(line));
    compare_as_the_doctor();
    for (const auto& x : seen_.kernel.obstructions)
      say(x.object + ": " + x.problem
          + (x.command.empty() ? "" : " (" + x.command + ")"));
    return std::move(wrong_);
  }

private:
  void say(std::string line) {
    wrong_.push_back(std::move(line));
  }

  template <class Id>
  static const auto* find(const auto& records, const Id& id) {
    auto found = std::ranges::find_if(records, [&](const auto& x) {
      return x.id == id;
    });
    return found == records.end() ? nullptr : &*found;
  }

  void check_tag(const audit_link& link, const std::string& id);
  void check_bridge(const network_spec& x);
  void check_sandbox(const sandbox_spec& x);
  const audit_pin* check_pin(const sandbox_spec& x);
  void check_join(const join_spec& join, const audit_pin* pin);
  void check_host_end(const join_spec& join, const endpoint_spec& who);
  void check_inside(const join_spec& join, const endpoint_spec& who,
                    const audit_pin& pin);
  void check_default_route(const sandbox_spec& x, ip_family family,
                           const std::optional<ip_address>& is);
  void check_leftovers();
  void compare_as_the_doctor();

  const host_view& seen_;
  const persistence::snapshot& records_;
  std::set<std::string> ours_on_host_;
  std::vector<std::string> wrong_;
};

void inspection::check_tag(const audit_link& link, const std::string& id) {
  if (link.group != seen_.owner.link_group())
    say("group of " + link.name + " is wrong");
  if (link.alias != seen_.owner.alias(id))
    say("alias of " + link.name + " is wrong");
}

void inspection::check_bridge(const network_spec& x) {
  const auto name = bridge_of(x);
  const auto is_named = !option_of(x.options, "bridge.name").empty();
  ours_on_host_.insert(name);
  const auto* link = find_link(seen_.kernel.links, name);
  if (link == nullptr)
    return say("network " + x.name + ": bridge " + name + " is missing");
  if (link->kind != "bridge")
    say(name + " is no bridge");
  if (!link->up)
    say("bridge " + name + " is down");
  auto wanted = std::vector<interface_address>{};
  for (const auto& pool : x.pools)
    if (pool.gateway && pool.subnet && is_on_bridge(x, pool.gateway->family()))
      wanted.push_back({*pool.gateway, pool.subnet->length()});
  // The user's own bridge may have more than ours.
  auto is = link->addresses;
  if (is_named)
    std::erase_if(is, [&](const auto& y) {
      return std::ranges::find(wanted, y) == wanted.end();
    });
  else
    check_tag(*link, x.id.value);
  if (link->group == seen_.owner.link_group()) {
    if (!link->bridge.empty())
      say("bridge " + name + " is part of " + link->bridge);
    if (!link->arp)
      say("bridge " + name + " asks for no neighbours");
    if (link->stp || link->vlan_filtering)
      say("bridge " + name + " speaks spanning tree or filters by VLAN");
  }
  if (text_of(is) != text_of(wanted))
    say("addresses of bridge " + name + " are" + text_of(is) + ", not"
        + text_of(wanted));
}

const audit_pin* inspection::check_pin(const sandbox_spec& x) {
  const auto name = x.id.brief();
  const auto mounts = seen_.mounts.count(name);
  if (mounts != 1)
    say("sandbox " + x.name + ": its pin is mounted " + std::to_string(mounts)
        + " times");
  for (const auto& pin : seen_.kernel.pins)
    if (pin.name == name && pin.inode != 0) {
      if (pin.inode != x.netns_inode)
        say("pin " + name + " leads to another namespace than recorded");
      return &pin;
    }
  say("sandbox " + x.name + ": pin " + name + " is missing");
  return nullptr;
}

void inspection::check_sandbox(const sandbox_spec& x) {
  const auto* pin = check_pin(x);
  for (const auto& join : records_.joins)
    if (join.sandbox == x.id)
      check_join(join, pin);
  if (pin == nullptr)
    return;
  check_default_route(x, ip_family::v4, pin->gateway);
  check_default_route(x, ip_family::v6, pin->gateway_v6);
}

// `pin`: null if there is none.
void inspection::check_join(const join_spec& join, const audit_pin* pin) {
  const auto* who = find(records_.endpoints, join.endpoint);
  const auto* net = find(records_.networks, join.network);
  if (who == nullptr || net == nullptr)
    return say("a join of endpoint " + join.endpoint.brief()
               + " without endpoint or network");
  if (net->driver != "bridge")
    return;
  check_host_end(join, *who);
  if (pin != nullptr)
    check_inside(join, *who, *pin);
}

void inspection::check_host_end(const join_spec& join,
                                const endpoint_spec& who) {
  const auto name = host_end_of(join.endpoint);
  ours_on_host_.insert(name);
  const auto* link = find_link(seen_.kernel.links, name);
  if (link == nullptr)
    return say("endpoint " + who.name + ": link " + name + " is missing");
  check_tag(*link, join.endpoint.value);
  if (!link->up)
    say("link " + name + " is down");
  if (link->bridge != bridge_of(*find(records_.networks, join.network)))
    say("link " + name + " is not on its bridge");
  const auto flags = link->port.value_or(netns::port_flags{});
  if (!link->arp || link->port_blocked || flags.locked || !flags.flood
      || !flags.broadcast_flood || !flags.multicast_flood)
    say("link " + name + " does not pass all frames on");
}

void inspection::check_inside(const join_spec& join, const endpoint_spec& who,
                              const audit_pin& pin) {
  const auto place = "endpoint " + who.name + ": interface " + join.interface;
  const auto* link = find_link(pin.links, join.interface);
  if (link == nullptr)
    return say(place + " is missing");
  if (!link->up)
    say(place + " is down");
  if (who.mac && link->mac != *who.mac)
    say(place + " has MAC " + to_string(link->mac) + ", not "
        + to_string(*who.mac));
  for (const auto& x : pin.lost_rules)
    if (std::ranges::any_of(who.addresses, [&](const auto& y) {
          return y.address.is_v4() != x.starts_with("ip -6");
        }))
      say(place + ": in its namespace is no longer what `" + x + "` gives");
  // What a container adds by itself is its own business.
  for (const auto& x : who.addresses)
    if (std::ranges::find(link->addresses, x) == link->addresses.end())
      say(place + " lacks address " + to_string(x));
}

/// Highest priority, then gateways of more families, then the network's name,
/// then the interface's.
void inspection::check_default_route(const sandbox_spec& x, ip_family family,
                                     const std::optional<ip_address>& is) {
  using rank = std::tuple<int, int, std::string, size_t, std::string>;
  auto best = std::optional<rank>{};
  auto wanted = std::vector<ip_address>{};
  for (const auto& join : records_.joins) {
    const auto* net = find(records_.networks, join.network);
    const auto* who = find(records_.endpoints, join.endpoint);
    if (join.sandbox != x.id || net == nullptr || who == nullptr
        || net->internal)
      continue;
    auto families = 0;
    auto here = std::vector<ip_address>{};
    for (const auto& pool : net->pools) {
      if (!pool.gateway)
        continue;
      ++families;
      if (pool.gateway->family() != family)
        continue;
      // A gateway that is not the bridge, as libnetwork has it.
      const auto other = pool.aux_addresses.find(
        family == ip_family::v4 ? "DefaultGatewayIPv4" : "DefaultGatewayIPv6");
      here.push_back(other != pool.aux_addresses.end() ? other->second
                                                       : *pool.gateway);
    }
    auto now = rank{-who->priority, -families, net->name, join.interface.size(),
                    join.interface};
    if (!here.empty() && (!best || now < *best)) {
      best = now;
      wanted = here;
    }
  }
  // Without a gateway of ours the route is the container's own business.
  if (!wanted.empty()
      && (!is || std::ranges::find(wanted, *is) == wanted.end()))
    say("sandbox " + x.name + ": its default route goes to "
        + (is ? to_string(*is) : "nobody") + ", not to "
        + to_string(wanted.front()));
}

void inspection::check_leftovers() {
  for (const auto& link : seen_.kernel.links) {
    const auto ours = link.group == seen_.owner.link_group()
                      || link.group == seen_.owner.trash_group()
                      || link.alias.starts_with(seen_.owner.alias(""));
    if (ours && !ours_on_host_.contains(link.name))
      say("link " + link.name + " belongs to nobody");
  }
  auto wanted = std::set<std::string>{};
  for (const auto& x : records_.sandboxes)
    if (!x.use_host_namespace)
      wanted.insert(x.id.brief());
  auto there = std::set<std::string>{};
  for (const auto& x : seen_.kernel.pins)
    there.insert(x.name);
  for (const auto& [name, inode] : seen_.mounts)
    there.insert(name);
  for (const auto& name : there)
    if (!wanted.contains(name))
      say("pin " + name + " belongs to nobody");
}

/// What is compared above is derived from the records anew; the rest is what
/// self-repair and the doctor look at. An interface is told once.
void inspection::compare_as_the_doctor() {
  const auto told = wrong_;
  for (const auto& x : compare_links(records_, seen_.kernel, seen_.owner)) {
    const auto name = x.problem.substr(0, x.problem.find(':'));
    const auto is_compared = name.size() < x.problem.size();
    if (is_compared && std::ranges::none_of(told, [&](const auto& line) {
          return line.find(name) != std::string::npos;
        }))
      say(x.object + ": " + x.problem
          + (x.command.empty() ? "" : " (" + x.command + ")"));
  }
}

bool leaves(const network_spec& x, ip_family family) {
  const auto enabled = family == ip_family::v4 ? x.enable_ipv4 : x.enable_ipv6;
  return enabled && !x.internal && is_on_bridge(x, family);
}

netns::promised_network
promise_of(const network_spec& x, const instance& owner) {
  auto result = netns::promised_network{};
  result.title = "network " + x.name;
  result.bridge = bridge_of(x);
  result.group = owner.link_group();
  for (const auto& pool : x.pools) {
    if (!pool.subnet)
      continue;
    result.subnets.push_back(*pool.subnet);
    if (pool.gateway && is_on_bridge(x, pool.gateway->family()))
      result.gateways.push_back({*pool.gateway, pool.subnet->length()});
  }
  result.leaves_ipv4 = leaves(x, ip_family::v4);
  result.leaves_ipv6 = leaves(x, ip_family::v6);
  result.masquerades_ipv4
    = result.leaves_ipv4 && is_masqueraded(x, ip_family::v4);
  result.masquerades_ipv6
    = result.leaves_ipv6 && is_masqueraded(x, ip_family::v6);
  result.is_one = connects_endpoints(x);
  return result;
}

} // namespace

std::vector<netns::promised_network>
promises_of(const persistence::snapshot& records, const instance& owner) {
  auto result = std::vector<netns::promised_network>{};
  auto places = std::map<network_id, size_t>{};
  for (const auto& x : records.networks)
    if (x.driver == "bridge") {
      places[x.id] = result.size();
      result.push_back(promise_of(x, owner));
    }
  auto endpoints = std::map<endpoint_id, const endpoint_spec*>{};
  for (const auto& x : records.endpoints)
    endpoints[x.id] = &x;
  for (const auto& join : records.joins) {
    const auto place = places.find(join.network);
    const auto who = endpoints.find(join.endpoint);
    if (place == places.end() || who == endpoints.end())
      continue;
    auto member = netns::promised_network::member{};
    member.title = "endpoint " + who->second->name;
    member.port = host_end_of(join.endpoint);
    for (const auto& x : who->second->addresses)
      member.addresses.push_back(x.address);
    member.mac = who->second->mac;
    for (const auto& x : join.bindings)
      if (x.host_port != 0) {
        const auto has_it
          = std::ranges::any_of(member.addresses, [&](const ip_address& y) {
              return y.family() == x.host_ip.family();
            });
        member.published.push_back({x.proto, x.port, x.host_ip, x.host_port,
                                    has_it && !x.host_ip.is_loopback(), true});
      }
    result[place->second].members.push_back(std::move(member));
  }
  return result;
}

std::vector<std::string> check_host(const host_view& seen) {
  return inspection{seen}.run();
}

} // namespace troupe::testing
