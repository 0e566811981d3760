#include "troupe/netns/audit/ways.hpp"

#include "troupe/netns/audit/sample.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <utility>

#include <linux/rtnetlink.h>

namespace troupe::netns {

namespace {

using member = promised_network::member;
using published_port = promised_network::published_port;

constexpr auto some_port = uint16_t{40'000};
constexpr auto well_known_port = uint16_t{443};

std::string reason_of(int number) {
  switch (number) {
  case EHOSTUNREACH:
    return "a route says unreachable, or it does not forward them";
  case EXDEV:
    return "they come from where it does not expect them (rp_filter)";
  case EINVAL:
    return "a route or rule says blackhole";
  case EACCES:
    return "a route or rule says prohibit";
  default:
    return "it has no route for them";
  }
}

/// The outside of the host, in one family.
struct outside {
  const audit_link* link = nullptr; ///< Leads there; null: nothing does.
  ip_address peer;                  ///< Somebody there.
};

/// The same cause, for one or more members of a network.
struct closed_way {
  std::string title; ///< Of the first.
  std::string problem;
  std::string command;
  std::set<std::string> titles;
};

class way_examination {
public:
  way_examination(audit_socket& socket, const std::vector<audit_link>& links,
                  std::span<const promised_network> networks,
                  const std::vector<audit_route>& routes, told_of_ways told)
    : socket_{socket}, links_{links}, networks_{networks}, routes_{routes},
      told_{std::move(told)} {
    for (const auto& x : links) {
      by_index_[x.index] = &x;
      by_name_[x.name] = &x;
    }
    for (const auto& x : networks)
      if (auto link = by_name_.find(x.bridge); link != by_name_.end())
        bridges_.insert(link->second->index);
  }

  result<std::vector<obstruction>> run();

private:
  outside find_outside(ip_family family) const;
  result<void> check(const promised_network& network, const audit_link& bridge);
  result<void> check(const promised_network& network, const audit_link& bridge,
                     const member& of, const ip_address& address);
  result<void>
  check_port(const promised_network& network, const audit_link& bridge,
             const member& of, const published_port& port);
  result<void> check_in(const promised_network& network,
                        const audit_link& bridge, const member& of,
                        const audit_question& packet, const std::string& who);
  result<void> check_out(const promised_network& network, const member& of,
                         const audit_question& packet, const std::string& what);
  void report(const promised_network& network, const member& of,
              const std::string& problem, const audit_question& packet,
              const ip_address& address, int os_error = 0);
  const audit_routing_rule*
  find_rule(const audit_question& packet, int os_error) const;
  bool leads_into_network(const audit_route& x) const;

  // What the host sends has it, once it is on its way.
  std::optional<ip_address>
  own_address(const promised_network& network, const audit_link& bridge,
              ip_family family) const {
    for (const auto& x : network.gateways)
      if (has_rules(family) && x.address.family() == family
          && std::ranges::find(bridge.addresses, x) != bridge.addresses.end())
        return x.address;
    return std::nullopt;
  }

  bool has_rules(ip_family family) const {
    return std::ranges::any_of(rules_.others, [&](const auto& x) {
      return x.family == family;
    });
  }

  // What is told of forwarding need not be told again.
  bool is_told(const audit_way& way, ip_family family) const {
    return way.os_error == EHOSTUNREACH && told_.unforwarded.contains(family);
  }

  audit_socket& socket_;
  const std::vector<audit_link>& links_;
  std::span<const promised_network> networks_;
  const std::vector<audit_route>& routes_;
  told_of_ways told_;
  std::map<int, const audit_link*> by_index_;
  std::map<std::string, const audit_link*> by_name_;
  std::set<int> bridges_;
  audit_rules rules_;
  std::map<ip_family, outside> outsides_;
  /// By cause.
  std::map<std::pair<std::string, std::string>, closed_way> closed_;
  std::vector<obstruction> found_;
};

result<std::vector<obstruction>> way_examination::run() {
  auto rules = read_rules(socket_);
  if (!rules)
    return fail(std::move(rules.error()));
  rules_ = std::move(*rules);
  for (const auto& x : rules_.missing)
    found_.push_back({obstruction::owner::others, "host",
                      "a rule of the kernel's own is missing", x});
  for (auto family : {ip_family::v4, ip_family::v6})
    outsides_[family] = find_outside(family);
  for (const auto& network : networks_) {
    auto link = by_name_.find(network.bridge);
    if (link == by_name_.end() || !link->second->up || network.gateways.empty()
        || told_.lacking.contains(network.bridge))
      continue;
    if (auto done = check(network, *link->second); !done)
      return fail(std::move(done.error()));
    for (auto& [cause, x] : closed_) {
      auto others = x.titles.size() - 1;
      found_.push_back(
        {obstruction::owner::others, others == 0 ? x.title : network.title,
         x.problem
           + (others == 0
                ? std::string{}
                : fmt::format(", as {} and {} more", x.title, others)),
         x.command});
    }
    closed_.clear();
  }
  return std::move(found_);
}

// By the default route; without one whoever else is there.
outside way_examination::find_outside(ip_family family) const {
  auto world = outsider(family);
  for (const auto& x : routes_)
    if (x.destination.family() == family && x.destination.length() == 0
        && x.table == RT_TABLE_MAIN && by_index_.contains(x.index))
      return {by_index_.at(x.index), world};
  for (const auto& x : links_)
    for (const auto& y : x.addresses) {
      auto subnet = y.subnet();
      if (!x.up || x.name == "lo" || !x.bridge.empty()
          || bridges_.contains(x.index) || y.address.family() != family
          || (subnet.size() != 0 && subnet.size() < 4))
        continue;
      return {&x, subnet.at(1) == y.address ? subnet.at(2) : subnet.at(1)};
    }
  return {};
}

result<void> way_examination::check(const promised_network& network,
                                    const audit_link& bridge) {
  auto is_done = std::set<ip_family>{};
  for (const auto& x : network.members) {
    for (const auto& address : x.addresses) {
      // Without rules of others one stands for all but for its own way in.
      auto is_first = is_done.insert(address.family()).second;
      if (is_first || has_rules(address.family())) {
        if (auto done = check(network, bridge, x, address); !done)
          return done;
      } else if (auto done
                 = check_in(network, bridge, x, {address}, "the host sends");
                 !done) {
        return done;
      }
    }
    for (const auto& port : x.published)
      if (has_rules(port.host_ip.family()))
        if (auto done = check_port(network, bridge, x, port); !done)
          return done;
  }
  return {};
}

// Both ways, of the host and of the outside.
result<void> way_examination::check(const promised_network& network,
                                    const audit_link& bridge, const member& of,
                                    const ip_address& address) {
  auto family = address.family();
  auto protocols
    = has_rules(family)
        ? std::vector<std::optional<protocol>>{protocol::tcp, protocol::udp}
        : std::vector<std::optional<protocol>>{std::nullopt};
  auto leaves
    = family == ip_family::v4 ? network.leaves_ipv4 : network.leaves_ipv6;
  const auto& [link, peer] = outsides_.at(family);
  for (const auto& proto : protocols) {
    auto near = audit_question{address,
                               own_address(network, bridge, family),
                               0,
                               {},
                               proto,
                               some_port,
                               well_known_port};
    if (auto done = check_in(network, bridge, of, near, "the host sends");
        !done)
      return done;
    if (!leaves || link == nullptr)
      continue;
    auto out = audit_question{peer,  address,   bridge.index,   bridge.name,
                              proto, some_port, well_known_port};
    if (auto done = check_out(network, of, out, "nothing out"); !done)
      return done;
    auto back = audit_question{address,    peer,  link->index,
                               link->name, proto, well_known_port,
                               some_port};
    if (auto done = check_in(network, bridge, of, back, "no answers get");
        !done)
      return done;
  }
  return {};
}

result<void>
way_examination::check_port(const promised_network& network,
                            const audit_link& bridge, const member& of,
                            const published_port& port) {
  auto family = port.host_ip.family();
  auto leaves
    = family == ip_family::v4 ? network.leaves_ipv4 : network.leaves_ipv6;
  const auto& [link, peer] = outsides_.at(family);
  auto name = fmt::format("port {}/{}", port.port, to_string(port.proto));
  for (const auto& address : of.addresses) {
    if (address.family() != family)
      continue;
    auto near = audit_question{address,    own_address(network, bridge, family),
                               0,          {},
                               port.proto, some_port,
                               port.port};
    auto done = check_in(network, bridge, of, near, "the host sends");
    auto is_proxied = port.proxied && !port.translated; // By nobody else.
    if (!done || link == nullptr || !leaves || is_proxied)
      return done;
    auto in = audit_question{address,    peer,      link->index, link->name,
                             port.proto, some_port, port.port};
    done = check_in(network, bridge, of, in, "nothing gets");
    if (!done)
      return done;
    auto back = audit_question{peer,       address,   bridge.index, bridge.name,
                               port.proto, port.port, some_port};
    return check_out(network, of, back, "no answers of " + name + " out");
  }
  return {};
}

result<void>
way_examination::check_in(const promised_network& network,
                          const audit_link& bridge, const member& of,
                          const audit_question& packet,
                          const std::string& who) {
  auto is_near = std::ranges::any_of(bridge.addresses, [&](const auto& x) {
    return x.address.family() == packet.to.family()
           && x.subnet().contains(packet.to);
  });
  if (!is_near)
    return {}; // Nothing says that the host is on that subnet.
  auto way = ask_way(socket_, packet);
  if (!way)
    return fail(std::move(way.error()));
  auto is_of_host = packet.in == 0;
  auto link = by_index_.find(way->index);
  if (way->os_error != 0 && !is_told(*way, packet.to.family()))
    report(network, of,
           fmt::format("{} {} {}: {}", who, is_of_host ? "nothing to" : "in to",
                       to_string(packet.to), reason_of(way->os_error)),
           packet, packet.to, way->os_error);
  // A transparent proxy of the host's is meant.
  else if (way->os_error == 0 && way->index != bridge.index
           && (is_of_host || link == by_index_.end()
               || link->second->name != "lo"))
    report(network, of,
           fmt::format("the host does not send {}to {} through {}",
                       is_of_host ? "" : "what comes in ", to_string(packet.to),
                       bridge.name),
           packet, packet.to);
  return {};
}

result<void>
way_examination::check_out(const promised_network& network, const member& of,
                           const audit_question& packet,
                           const std::string& what) {
  auto way = ask_way(socket_, packet);
  if (!way)
    return fail(std::move(way.error()));
  if (way->os_error != 0 && !is_told(*way, packet.to.family()))
    report(network, of,
           "the host lets " + what + ": " + reason_of(way->os_error), packet,
           *packet.from, way->os_error);
  return {};
}

bool way_examination::leads_into_network(const audit_route& x) const {
  return x.kind == route_kind::subnet && bridges_.contains(x.index);
}

// With what may be the cause.
void way_examination::report(const promised_network& network, const member& of,
                             const std::string& problem,
                             const audit_question& packet,
                             const ip_address& address, int os_error) {
  auto add = [&](const std::string& cause, const std::string& command) {
    // Of several problems with one cause the first is enough.
    auto& entry = closed_[{network.title, command}];
    if (entry.titles.empty())
      entry = {of.title, problem + cause, command, {}};
    entry.titles.insert(of.title);
  };
  if (const auto* x = find_rule(packet, os_error); x != nullptr)
    return add("; rule " + x->text, x->command);
  auto family = address.family();
  auto program = std::string{family == ip_family::v4 ? "ip" : "ip -6"};
  const audit_route* best = nullptr;
  for (const auto& x : routes_)
    if (x.kind != route_kind::self && x.kind != route_kind::groups
        && !leads_into_network(x) && x.destination.family() == family
        && x.destination.length() > 0 && x.destination.contains(address)
        && (best == nullptr
            || x.destination.length() > best->destination.length()))
      best = &x;
  if (best != nullptr)
    return add("; route " + best->text, program + " route del " + best->text);
  add({}, program + " route get " + to_string(address) + " shows what it does");
}

// One that refuses such packets so, or looks them up where there is something.
const audit_routing_rule*
way_examination::find_rule(const audit_question& packet, int os_error) const {
  const audit_routing_rule* found = nullptr;
  for (const auto& x : rules_.others) {
    if (!fits(x, packet))
      continue;
    if (x.os_error != 0 && x.os_error == os_error)
      return &x;
    auto finds_something = std::ranges::any_of(routes_, [&](const auto& y) {
      return y.table == x.table && y.destination.family() == x.family
             && y.destination.contains(packet.to);
    });
    if (found == nullptr && x.table != 0 && x.table != RT_TABLE_MAIN
        && finds_something)
      found = &x;
  }
  return found;
}

} // namespace

result<std::vector<obstruction>>
find_closed_ways(audit_socket& socket, const std::vector<audit_link>& links,
                 std::span<const promised_network> networks,
                 const std::vector<audit_route>& routes, told_of_ways told) {
  return way_examination{socket, links, networks, routes, std::move(told)}
    .run();
}

} // namespace troupe::netns
