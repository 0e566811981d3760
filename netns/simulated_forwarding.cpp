#include "troupe/netns/simulated_forwarding.hpp"

#include "troupe/netns/simulated_chains.hpp"

#include <algorithm>
#include <utility>

namespace troupe::netns {

namespace {

using simulation::rules;
using simulation::travel;

const simulated_link*
find_link(const simulated_namespace& ns, const std::string& name) {
  for (const auto& x : ns.links)
    if (x.info.name == name)
      return &x;
  return nullptr;
}

const simulated_link* find_link(const simulated_namespace& ns, int index) {
  for (const auto& x : ns.links)
    if (x.info.index == index)
      return &x;
  return nullptr;
}

bool has(const simulated_link& link, const ip_address& x) {
  return link.info.up
         && std::ranges::any_of(link.addresses, [&](const auto& y) {
              return y.address == x;
            });
}

bool is_local(const simulated_namespace& ns, const ip_address& x) {
  if (x.is_loopback())
    return true;
  return std::ranges::any_of(ns.links, [&](const auto& link) {
    return has(link, x);
  });
}

int value_of(const simulated_link& link, sysctl key) {
  auto found = link.sysctls.find(key);
  return found == link.sysctls.end() ? 0 : found->second;
}

// -- routes -------------------------------------------------------------------

std::optional<route_info> look_up(const simulated_namespace& ns, uint32_t table,
                                  const ip_address& to, bool no_default) {
  auto best = std::optional<route_info>{};
  auto length = [](const route_info& x) {
    return x.destination ? int{x.destination->length()} : 0;
  };
  for (const auto* list : {&ns.kernel_routes, &ns.routes})
    for (const auto& x : *list) {
      if (x.table != table || x.family != to.family()
          || x.type != route_type::unicast
          || (x.destination && !x.destination->contains(to))
          || (no_default && length(x) == 0))
        continue;
      if (!best || length(x) > length(*best)
          || (length(x) == length(*best) && x.metric < best->metric))
        best = x;
    }
  return best;
}

bool matches(const rule_info& rule, const travel& x) {
  return rule.family == x.family() && rule.output.empty()
         && (!rule.from || rule.from->contains(x.source))
         && (!rule.to || rule.to->contains(x.to))
         && (!rule.proto || *rule.proto == x.proto)
         && (rule.first_port == 0
             || (x.source_port >= rule.first_port
                 && x.source_port
                      <= std::max(rule.first_port, rule.last_port)));
}

std::optional<route_info>
route_of(const simulated_namespace& ns, const travel& x) {
  auto least = uint32_t{0};
  for (const auto& rule : ns.rules) {
    if (rule.priority < least || !matches(rule, x))
      continue;
    if (rule.jump != 0)
      least = rule.jump;
    else if (auto found = look_up(ns, rule.table, x.to, rule.no_default))
      return found;
  }
  return look_up(ns, main_table, x.to, false);
}

/// The address that the kernel gives a packet without one.
ip_address source_for(const simulated_namespace& ns, const route_info& route,
                      const ip_address& to) {
  if (route.source)
    return *route.source;
  const auto* link = find_link(ns, route.index);
  auto result = to;
  if (link == nullptr)
    return result;
  for (const auto& x : link->addresses)
    if (x.address.family() == to.family() && !x.address.is_link_local()) {
      result = x.address;
      break;
    }
  return result;
}

// -- the way ------------------------------------------------------------------

/// Where a packet ended.
struct ending {
  const simulated_namespace* at = nullptr; ///< Null: beyond a hardware link.
  travel as;
};

class machine {
public:
  machine(const simulated_view& view,
          std::span<const simulated_connection> known)
    : view_{view}, known_{known} {
  }

  const simulated_namespace* find(uint64_t inode) const {
    for (const auto& x : view_.namespaces)
      if (x.inode == inode)
        return &x;
    return nullptr;
  }

  const simulated_namespace& host() const {
    return view_.namespaces.front();
  }

  /// Follows a packet from where it is sent.
  std::optional<ending> follow(const simulated_namespace& ns, travel x);

  /// Follows one that comes in to the host.
  std::optional<ending> enter_host(travel x, const simulated_link& in);

  /// The host's network card, with neighbours beyond it.
  const simulated_link* card() const {
    for (const auto& x : host().links)
      if (x.info.kind.empty() && x.info.name != "lo")
        return &x;
    return nullptr;
  }

  /// The connection of the packets that are followed.
  std::optional<simulated_connection> tracked;

private:
  std::pair<const simulated_namespace*, const simulated_link*>
  other_end(const simulated_link& link) const;
  std::optional<ending> leave_host(travel x, const simulated_link* in);
  std::optional<ending>
  into_bridge(const simulated_link& bridge, const ip_address& next,
              const travel& x, const simulated_link* from) const;
  std::optional<ending>
  leave_sandbox(const simulated_link& link, const ip_address& next, travel x);
  bool is_there(const simulated_link& bridge, const ip_address& address,
                const mac_address& mac) const;
  bool follow_connection(travel& x, const simulated_connection& c) const;
  void translate(travel& x);

  const simulated_view& view_;
  std::span<const simulated_connection> known_;
};

/// The namespace and link at the other end of a veth.
std::pair<const simulated_namespace*, const simulated_link*>
machine::other_end(const simulated_link& link) const {
  auto slash = link.peer.rfind('/');
  if (slash == std::string::npos)
    return {};
  auto label = link.peer.substr(0, slash);
  for (const auto& ns : view_.namespaces)
    if (ns.label == label)
      return {&ns, find_link(ns, link.peer.substr(slash + 1))};
  return {};
}

/// If the packet is of the connection, in either direction, translates it.
bool machine::follow_connection(travel& x,
                                const simulated_connection& c) const {
  if (c.proto != x.proto)
    return false;
  if (c.client == x.source && c.client_port == x.source_port && c.host == x.to
      && c.host_port == x.port) {
    x.known = c.answered;
    x.translated = c.destination_translated();
    x.to = c.server;
    x.port = c.server_port;
    return true;
  }
  auto to_client
    = c.source_translated ? is_local(host(), x.to) : c.client == x.to;
  if (c.server != x.source || c.server_port != x.source_port || !to_client
      || c.client_port != x.port)
    return false;
  x.known = true;
  x.answer = true;
  x.to = c.client;
  x.source = c.host;
  x.source_port = c.host_port;
  return true;
}

/// Destination translation: as the connection has it, or as is published.
void machine::translate(travel& x) {
  if (tracked && follow_connection(x, *tracked))
    return;
  for (const auto& c : known_)
    if (follow_connection(x, c)) {
      tracked = c;
      return;
    }
  tracked = simulated_connection{x.proto, x.source, x.source_port, x.to, x.port,
                                 x.to,    x.port,   false,         false};
  if (!is_local(host(), x.to))
    return;
  if (auto target = rules{host()}.published(x)) {
    std::tie(x.to, x.port) = *target;
    x.translated = true;
    tracked->server = x.to;
    tracked->server_port = x.port;
  }
}

std::optional<ending> machine::enter_host(travel x, const simulated_link& in) {
  if (!in.info.up)
    return std::nullopt;
  translate(x);
  if (is_local(host(), x.to))
    return ending{&host(), x};
  auto v4 = x.to.is_v4();
  if (value_of(in, v4 ? sysctl::ipv4_forwarding : sysctl::ipv6_forwarding) == 0)
    return std::nullopt;
  return leave_host(x, &in);
}

std::optional<ending> machine::leave_host(travel x, const simulated_link* in) {
  auto route = route_of(host(), x);
  const auto* out = route ? find_link(host(), route->index) : nullptr;
  if (out == nullptr || !out->info.up)
    return std::nullopt;
  auto from = in != nullptr ? in->info.name : std::string{};
  auto chains = rules{host()};
  if (in != nullptr && !chains.forwards(x, from, out->info.name))
    return std::nullopt;
  auto hidden = x.known ? !x.answer && tracked->source_translated
                        : chains.masquerades(x, from, out->info.name);
  if (hidden) {
    x.source = source_for(host(), *route, x.to);
    if (tracked)
      tracked->source_translated = true;
  }
  auto next = route->gateway.value_or(x.to);
  if (out->info.kind == "bridge")
    return into_bridge(*out, next, x, nullptr);
  return ending{nullptr, x}; // Somebody out there.
}

/// To the port that has the next hop.
std::optional<ending>
machine::into_bridge(const simulated_link& bridge, const ip_address& next,
                     const travel& x, const simulated_link* from) const {
  auto isolated = [](const simulated_link& y) {
    return y.info.port && y.info.port->isolated;
  };
  for (const auto& known : host().neighbours)
    if (from == nullptr && known.index == bridge.info.index
        && known.address == next && !is_there(bridge, next, known.mac))
      return std::nullopt;
  for (const auto& port : host().links) {
    if (port.info.master != bridge.info.index || !port.info.up || &port == from)
      continue;
    auto [there, inner] = other_end(port);
    if (inner == nullptr || !has(*inner, next))
      continue;
    if (from != nullptr && isolated(*from) && isolated(port))
      return std::nullopt;
    // No sandbox forwards.
    return is_local(*there, x.to) ? std::optional{ending{there, x}}
                                  : std::nullopt;
  }
  return std::nullopt;
}

bool machine::is_there(const simulated_link& bridge, const ip_address& address,
                       const mac_address& mac) const {
  return std::ranges::any_of(host().links, [&](const auto& port) {
    if (port.info.master != bridge.info.index)
      return false;
    auto [there, inner] = other_end(port);
    return inner != nullptr && inner->info.mac == mac && has(*inner, address);
  });
}

std::optional<ending> machine::leave_sandbox(const simulated_link& link,
                                             const ip_address& next, travel x) {
  auto [there, port] = other_end(link);
  if (there != &host() || port == nullptr || !port->info.up)
    return std::nullopt;
  const auto* bridge = find_link(host(), port->info.master);
  if (bridge == nullptr || !bridge->info.up
      || !rules{host()}.guards(*port, link.info.mac, x.source))
    return std::nullopt;
  return has(*bridge, next) ? enter_host(x, *bridge)
                            : into_bridge(*bridge, next, x, port);
}

std::optional<ending> machine::follow(const simulated_namespace& ns, travel x) {
  if (&ns == &host())
    translate(x);
  if (is_local(ns, x.to))
    return ending{&ns, x};
  if (&ns == &host())
    return leave_host(x, nullptr);
  auto route = route_of(ns, x);
  const auto* link = route ? find_link(ns, route->index) : nullptr;
  if (link == nullptr || !link->info.up)
    return std::nullopt;
  return leave_sandbox(*link, route->gateway.value_or(x.to), x);
}

std::optional<ip_address>
own_address(const simulated_namespace& ns, const travel& x) {
  if (is_local(ns, x.to))
    return x.to;
  auto route = route_of(ns, x);
  return route ? std::optional{source_for(ns, *route, x.to)} : std::nullopt;
}

} // namespace

simulated_passage
would_pass(const simulated_view& view,
           std::span<const simulated_connection> tracked,
           const simulated_packet& packet, const simulated_listener& listener) {
  auto result = simulated_passage{};
  auto here = machine{view, tracked};
  const auto* sender = packet.from != 0 ? here.find(packet.from) : nullptr;
  const auto* beyond = find_link(here.host(), packet.beyond);
  auto x = travel{packet.source.value_or(packet.to), packet.to, packet.proto,
                  packet.source_port, packet.port};
  if (sender != nullptr && !packet.source) {
    auto own = own_address(*sender, x);
    if (!own)
      return result;
    x.source = *own;
  }
  if (sender == nullptr && (packet.from != 0 || beyond == nullptr))
    return result;
  auto end
    = sender != nullptr ? here.follow(*sender, x) : here.enter_host(x, *beyond);
  if (!end)
    return result;
  result.tracked = here.tracked;
  result.at = end->at != nullptr ? end->at->inode : 0;
  result.seen_as = end->as.source;
  result.port = end->as.port;
  if (end->at == &here.host()) {
    // Somebody who has the port, or nobody.
    auto target = listener(x.proto, end->as.to, end->as.port);
    if (!target)
      return result;
    auto on = simulated_packet{};
    on.from = here.host().inode;
    on.to = target->first;
    on.proto = packet.proto;
    on.source_port = packet.source_port;
    on.port = target->second;
    auto served = would_pass(view, tracked, on, listener);
    if (!served.answered)
      return result;
    result.at = served.at;
    result.seen_as = served.seen_as;
    result.port = served.port;
  }
  // And back: it must come from whom the client has asked.
  auto back = travel{end->as.to, end->as.source, x.proto, end->as.port,
                     end->as.source_port};
  auto home = std::optional<ending>{};
  if (end->at != nullptr)
    home = here.follow(*end->at, back);
  else if (const auto* card = here.card())
    home = here.enter_host(back, *card);
  result.answered = home && home->at == sender && home->as.source == packet.to
                    && home->as.port == packet.source_port;
  if (result.tracked)
    result.tracked->answered = result.tracked->answered || result.answered;
  return result;
}

} // namespace troupe::netns
