#include "troupe/netns/simulated/forwarding.hpp"

#include "troupe/netns/simulated/rules.hpp"

#include <algorithm>
#include <tuple>
#include <unordered_map>

namespace troupe::netns {

namespace {

using firewall::table_family;
using simulation::hooked_packet;
using simulation::loaded_rules;

/// Where the kernel's own rule for the main table stands.
constexpr uint32_t main_priority = 32'766;

/// A packet on its way, as it is just now.
struct travel {
  ip_address source;
  ip_address to;
  protocol proto = protocol::tcp;
  uint16_t source_port = 0;
  uint16_t port = 0;
  bool known = false;      ///< Of a connection that was answered.
  bool answer = false;     ///< Of the one who answers.
  bool translated = false; ///< Its destination was.

  ip_family family() const {
    return to.family();
  }
};

const simulated_link* link_at(const simulated_namespace& ns, int index) {
  for (const auto& x : ns.links)
    if (x.info.index == index)
      return &x;
  return nullptr;
}

bool is_local(const simulated_namespace& ns, const ip_address& x) {
  return std::ranges::any_of(ns.kernel_routes, [&](const auto& route) {
    return route.type == route_type::local && route.destination->contains(x);
  });
}

// -- routes -------------------------------------------------------------------

const route_info* look_up(const simulated_namespace& ns, uint32_t table,
                          const ip_address& to, bool no_default) {
  const route_info* best = nullptr;
  auto length = [](const route_info& x) {
    return x.destination ? int{x.destination->length()} : 0;
  };
  for (const auto* list : {&ns.kernel_routes, &ns.routes, &ns.other_routes})
    for (const auto& x : *list) {
      if (x.table != table || x.family != to.family()
          || x.type != route_type::unicast
          || (x.destination && !x.destination->contains(to))
          || (no_default && length(x) == 0))
        continue;
      if (best == nullptr || length(x) > length(*best)
          || (length(x) == length(*best) && x.metric < best->metric))
        best = &x;
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

const route_info* route_of(const simulated_namespace& ns, const travel& x) {
  auto least = uint32_t{0};
  for (const auto& rule : ns.rules) {
    if (rule.priority > main_priority)
      continue;
    if (rule.priority < least || !matches(rule, x))
      continue;
    if (rule.jump != 0)
      least = rule.jump;
    else if (const auto* found = look_up(ns, rule.table, x.to, rule.no_default))
      return found;
  }
  return look_up(ns, main_table, x.to, false);
}

/// The address that the kernel gives a packet without one.
ip_address source_for(const simulated_namespace& ns, const route_info& route,
                      const ip_address& to) {
  if (route.source)
    return *route.source;
  if (const auto* link = link_at(ns, route.index))
    for (const auto& x : link->addresses)
      if (x.address.family() == to.family() && !x.address.is_link_local())
        return x.address;
  return to;
}

/// The source address of who sends without one.
std::optional<ip_address>
own_address(const simulated_namespace& ns, const travel& x) {
  if (is_local(ns, x.to))
    return x.to;
  const auto* route = route_of(ns, x);
  return route != nullptr ? std::optional{source_for(ns, *route, x.to)}
                          : std::nullopt;
}

// -- links --------------------------------------------------------------------

using link_end = std::pair<const simulated_namespace*, const simulated_link*>;
using link_ends = std::unordered_map<const simulated_link*, link_end>;

link_ends ends_of(const simulated_view& view) {
  auto by_name = std::map<std::pair<uint64_t, std::string_view>, link_end>{};
  for (const auto& ns : view.namespaces)
    for (const auto& x : ns.links)
      by_name[{ns.inode, x.info.name}] = {&ns, &x};
  auto result = link_ends{};
  for (const auto& ns : view.namespaces)
    for (const auto& x : ns.links) {
      auto name = std::string_view{x.peer};
      name.remove_prefix(std::min(name.rfind('/') + 1, name.size()));
      auto found = by_name.find({x.peer_namespace, name});
      result[&x] = found != by_name.end() ? found->second : link_end{};
    }
  return result;
}

bool passes_frames(const simulated_link& port) {
  return port.info.up && port.info.port && !port.info.port_blocked;
}

bool is_bound(const simulated_link& port, const mac_address& x) {
  return std::ranges::find(port.bound, x) != port.bound.end();
}

/// Where a packet ended.
struct ending {
  const simulated_namespace* at = nullptr; ///< Null: beyond a hardware link.
  travel as;
};

/// What is looked up for each packet.
struct machine {
  const simulated_view& view;
  loaded_rules rules;
  link_ends ends;

  const simulated_namespace& host() const {
    return view.namespaces.front();
  }

  const simulated_namespace* find(uint64_t inode) const {
    for (const auto& x : view.namespaces)
      if (x.inode == inode)
        return &x;
    return nullptr;
  }
};

// -- the way ------------------------------------------------------------------

/// The way of one packet and of the answer to it.
class way {
public:
  way(const machine& x, std::span<const connection_info> known)
    : machine_{x}, host_{x.host()}, known_{known} {
  }

  /// Follows a packet from where it is sent.
  /// @param via a next hop that no route has.
  std::optional<ending> follow(const simulated_namespace& ns, travel x,
                               const std::optional<ip_address>& via = {}) {
    if (&ns == &host_)
      return leave_process(x);
    if (is_local(ns, x.to))
      return ending{&ns, x};
    const auto* route
      = via ? look_up(ns, main_table, *via, true) : route_of(ns, x);
    const auto* link = route != nullptr ? link_at(ns, route->index) : nullptr;
    if (link == nullptr || !link->info.up)
      return std::nullopt;
    auto next = via ? *via : route->gateway.value_or(x.to);
    return leave_sandbox(ns, *link, next, x);
  }

  /// Follows one that comes in to the host.
  std::optional<ending> enter_host(travel x, const simulated_link& in) {
    if (!in.info.up)
      return std::nullopt;
    translate(x, &in);
    if (is_local(host_, x.to))
      return enter_process(x, in);
    // There is one switch for all of IPv6 (Documentation/networking/ip-sysctl).
    auto forwards = x.to.is_v4()
                      ? in.sysctls.at(sysctl::ipv4_forwarding)
                      : host_.sysctls_all.at(sysctl::ipv6_forwarding);
    return forwards != 0 ? leave_host(x, &in) : std::nullopt;
  }

  /// What the host tracks now.
  std::optional<connection_info> tracked() const {
    return is_confirmed_ ? tracked_ : std::nullopt;
  }

private:
  hooked_packet hooked(const travel& x, const simulated_link* in,
                       const simulated_link* out) const {
    auto result = hooked_packet{};
    result.in = in;
    result.out = out;
    result.source = x.source;
    result.to = x.to;
    result.proto = x.proto;
    result.source_port = x.source_port;
    result.port = x.port;
    result.is_known = x.known;
    result.translated = x.translated;
    return result;
  }

  // -- connections ------------------------------------------------------------

  /// If the packet is of the connection, in either direction, translates it.
  bool is_of(connection_info& c, travel& x) const {
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
      = c.source_translated ? is_local(host_, x.to) : c.client == x.to;
    if (c.server != x.source || c.server_port != x.source_port || !to_client
        || c.client_port != x.port)
      return false;
    c.answered = true;
    x.known = true;
    x.answer = true;
    x.translated = c.destination_translated();
    x.to = c.client;
    x.source = c.host;
    x.source_port = c.host_port;
    return true;
  }

  /// Destination translation: as the connection has it, or as the rules say.
  void translate(travel& x, const simulated_link* in) {
    if (tracked_ && is_of(*tracked_, x))
      return;
    for (auto c : known_)
      if (is_of(c, x)) {
        tracked_ = c;
        is_new_ = false;
        is_confirmed_ = true;
        return;
      }
    tracked_ = connection_info{};
    tracked_->proto = x.proto;
    tracked_->client = x.source;
    tracked_->client_port = x.source_port;
    tracked_->host = x.to;
    tracked_->host_port = x.port;
    is_new_ = true;
    is_confirmed_ = false;
    auto packet = hooked(x, in, nullptr);
    packet.for_host = is_local(host_, x.to);
    const auto* hook = in != nullptr ? "nat prerouting" : "nat output";
    auto done = machine_.rules.ask(table_family::inet, hook, packet);
    if (done.target) {
      std::tie(x.to, x.port) = *done.target;
      x.translated = true;
    }
    tracked_->server = x.to;
    tracked_->server_port = x.port;
  }

  // -- the host ---------------------------------------------------------------

  std::optional<ending> leave_process(travel x) {
    translate(x, nullptr);
    if (!is_local(host_, x.to))
      return leave_host(x, nullptr);
    const auto* lo = find_link(host_, "lo");
    return lo != nullptr ? enter_process(x, *lo) : std::nullopt;
  }

  std::optional<ending> enter_process(travel x, const simulated_link& in) {
    auto packet = hooked(x, &in, nullptr);
    if (machine_.rules.ask(table_family::inet, "filter input", packet).dropped)
      return std::nullopt;
    is_confirmed_ = true;
    return ending{&host_, x};
  }

  std::optional<ending> leave_host(travel x, const simulated_link* in) {
    const auto* route = route_of(host_, x);
    const auto* out = route != nullptr ? link_at(host_, route->index) : nullptr;
    if (out == nullptr || !out->info.up)
      return std::nullopt;
    auto packet = hooked(x, in, out);
    if (in != nullptr
        && machine_.rules.ask(table_family::inet, "filter forward", packet)
             .dropped)
      return std::nullopt;
    leave_with_source(x, packet, *route);
    is_confirmed_ = true;
    auto next = route->gateway.value_or(x.to);
    if (out->info.kind != "bridge")
      return ending{nullptr, x}; // Somebody out there.
    auto mac = neighbour(host_, *out, *out, next, nullptr);
    return mac ? through_bridge(*out, *mac, x, nullptr) : std::nullopt;
  }

  void leave_with_source(travel& x, const hooked_packet& packet,
                         const route_info& route) {
    if (x.answer)
      return;
    if (is_new_) {
      auto done
        = machine_.rules.ask(table_family::inet, "nat postrouting", packet);
      if (done.source)
        x.source = *done.source;
      tracked_->source_translated = done.masqueraded || done.source;
      if (!done.masqueraded)
        return;
    } else if (!tracked_->source_translated) {
      return;
    }
    x.source = source_for(host_, route, x.to);
  }

  // -- bridges ----------------------------------------------------------------

  /// May a port send this to its bridge?
  bool lets_in(const simulated_link& port, const mac_address& mac,
               hooked_packet packet) const {
    packet.in = &port;
    packet.out = nullptr;
    packet.mac = mac;
    return passes_frames(port)
           && (!port.info.port->locked || is_bound(port, mac))
           && !machine_.rules
                 .ask(table_family::bridge, "filter prerouting", packet)
                 .dropped;
  }

  /// The same, for telling who has an address.
  bool lets_tell(const simulated_link& port, const mac_address& mac,
                 const ip_address& address) const {
    auto packet = hooked_packet{};
    packet.what = address.is_v4() ? hooked_packet::kind::arp
                                  : hooked_packet::kind::advertised;
    packet.source = address;
    packet.to = address;
    packet.mac = mac;
    return lets_in(port, mac, packet);
  }

  static bool
  are_isolated(const simulated_link* from, const simulated_link& to) {
    return from != nullptr && from->info.port->isolated
           && to.info.port->isolated;
  }

  /// Who has an address behind a bridge: as somebody has said for good, or as
  /// is answered.
  /// @param on of `asks`, the one who asks.
  /// @param from the bridge's port that he is behind; null: the host.
  std::optional<mac_address>
  neighbour(const simulated_namespace& asks, const simulated_link& on,
            const simulated_link& bridge, const ip_address& address,
            const simulated_link* from) const {
    for (const auto& x : asks.neighbours)
      if (x.index == on.info.index && x.address == address)
        return x.mac;
    if (!on.info.arp && address.is_v4())
      return std::nullopt;
    if (from != nullptr && is_local(host_, address))
      return bridge.info.mac;
    for (const auto& port : host_.links) {
      if (port.info.master != bridge.info.index || &port == from
          || !passes_frames(port) || are_isolated(from, port)
          || !(address.is_v4() ? port.info.port->broadcast_flood
                               : port.info.port->multicast_flood))
        continue;
      auto [there, inner] = machine_.ends.at(&port);
      if (inner != nullptr && inner->info.up && is_local(*there, address)
          && lets_tell(port, inner->info.mac, address))
        return inner->info.mac;
    }
    return std::nullopt;
  }

  /// The port that frames to a MAC address leave by.
  const simulated_link*
  port_of(const simulated_link& bridge, const mac_address& mac) const {
    const simulated_link* learned = nullptr;
    for (const auto& port : host_.links) {
      if (port.info.master != bridge.info.index || !port.info.port)
        continue;
      if (is_bound(port, mac))
        return &port;
      auto inner = machine_.ends.at(&port).second;
      if (inner != nullptr && inner->info.mac == mac
          && (port.info.port->flood || port.info.port->learning))
        learned = &port;
    }
    return learned;
  }

  std::optional<ending>
  through_bridge(const simulated_link& bridge, const mac_address& mac,
                 const travel& x, const simulated_link* from) {
    if (!bridge.info.up)
      return std::nullopt;
    if (from != nullptr && mac == bridge.info.mac)
      return enter_host(x, bridge);
    const auto* port = port_of(bridge, mac);
    if (port == nullptr || port == from || !passes_frames(*port)
        || are_isolated(from, *port))
      return std::nullopt;
    auto [there, inner] = machine_.ends.at(port);
    if (inner == nullptr || !inner->info.up || inner->info.mac != mac
        || !is_local(*there, x.to)) // No sandbox forwards.
      return std::nullopt;
    return ending{there, x};
  }

  std::optional<ending>
  leave_sandbox(const simulated_namespace& ns, const simulated_link& link,
                const ip_address& next, const travel& x) {
    auto [there, port] = machine_.ends.at(&link);
    if (there != &host_ || port == nullptr)
      return std::nullopt;
    const auto* bridge = link_at(host_, port->info.master);
    if (bridge == nullptr || !bridge->info.up)
      return std::nullopt;
    auto mac = neighbour(ns, link, *bridge, next, port);
    if (!mac || !lets_in(*port, link.info.mac, hooked(x, port, nullptr)))
      return std::nullopt;
    return through_bridge(*bridge, *mac, x, port);
  }

  const machine& machine_;
  const simulated_namespace& host_;
  std::span<const connection_info> known_;
  std::optional<connection_info> tracked_;
  bool is_new_ = false;       ///< It was not tracked before.
  bool is_confirmed_ = false; ///< It has passed all rules.
};

/// The host's network card, with neighbours beyond it.
const simulated_link* card_of(const simulated_namespace& host) {
  for (const auto& x : host.links)
    if (x.info.kind.empty() && x.info.name != "lo")
      return &x;
  return nullptr;
}

} // namespace

const simulated_link*
find_link(const simulated_namespace& ns, const std::string& name) {
  for (const auto& x : ns.links)
    if (x.info.name == name)
      return &x;
  return nullptr;
}

struct simulated_forwarding::impl : machine {};

simulated_forwarding::simulated_forwarding(std::unique_ptr<impl> x)
  : impl_{std::move(x)} {
}

simulated_forwarding::~simulated_forwarding() = default;
simulated_forwarding::simulated_forwarding(
  simulated_forwarding&&) noexcept = default;
simulated_forwarding&
simulated_forwarding::operator=(simulated_forwarding&&) noexcept = default;

result<simulated_forwarding>
simulated_forwarding::of(const simulated_view& view) {
  auto rules = loaded_rules::of(view.namespaces.front());
  if (!rules)
    return fail(std::move(rules.error()));
  return simulated_forwarding{
    std::make_unique<impl>(impl{{view, std::move(*rules), ends_of(view)}})};
}

simulated_passage
simulated_forwarding::pass(const simulated_packet& packet,
                           std::span<const connection_info> known,
                           const simulated_listener& listener) const {
  auto result = simulated_passage{};
  const auto& host = impl_->host();
  auto here = way{*impl_, known};
  const auto* sender = packet.from != 0 ? impl_->find(packet.from) : nullptr;
  const auto* beyond = find_link(host, packet.beyond);
  auto x = travel{packet.source.value_or(packet.to), packet.to, packet.proto,
                  packet.source_port, packet.port};
  if (sender == nullptr && (packet.from != 0 || beyond == nullptr))
    return result;
  if (sender != nullptr && !packet.source) {
    auto own = own_address(*sender, x);
    if (!own)
      return result;
    x.source = *own;
  }
  auto end = sender != nullptr ? here.follow(*sender, x, packet.via)
                               : here.enter_host(x, *beyond);
  result.tracked = here.tracked();
  if (!end)
    return result;
  result.arrived = true;
  result.at = end->at != nullptr ? end->at->inode : 0;
  result.seen_as = end->as.source;
  result.port = end->as.port;
  if (end->at == &host) {
    // Somebody who has the port, or nobody.
    auto target = listener(x.proto, end->as.to, end->as.port);
    result.refused = !target;
    if (!target)
      return result;
    auto on = simulated_packet{};
    on.from = host.inode;
    on.to = target->first;
    on.proto = packet.proto;
    on.source_port = packet.source_port;
    on.port = target->second;
    auto served = pass(on, {}, listener);
    if (!served.answered)
      return result;
    result.proxied = true;
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
  else if (const auto* card = card_of(host))
    home = here.enter_host(back, *card);
  result.tracked = here.tracked();
  result.answered = home && home->at == sender && home->as.source == packet.to
                    && home->as.port == packet.source_port;
  return result;
}

} // namespace troupe::netns
