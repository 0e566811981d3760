#include "troupe/netns/simulated/model.hpp"

#include <algorithm>
#include <cerrno>

namespace troupe::netns::simulation {

namespace {

/// IP6_RT_PRIO_USER and IP6_RT_PRIO_ADDRCONF of the kernel.
constexpr uint32_t ipv6_default_metric = 1024;
constexpr uint32_t ipv6_address_metric = 256;

/// The metric the kernel compares: IPv6 has no metric 0.
uint32_t effective_metric(const route_info& x) {
  return x.family == ip_family::v6 && x.metric == 0 ? ipv6_default_metric
                                                    : x.metric;
}

std::string describe(const route_info& x) {
  auto text
    = x.destination
        ? to_string(*x.destination)
        : std::string{x.family == ip_family::v4 ? "default" : "default (IPv6)"};
  if (x.gateway)
    text += " via " + to_string(*x.gateway);
  return text;
}

/// The on-link route through which a gateway is reached: the kernel wants
/// neighbours, not hops behind other gateways.
const route_info*
find_on_link(const std::vector<route_info>& candidates, const route_info& x) {
  const route_info* best = nullptr;
  for (const auto& y : candidates) {
    if (y.family != x.family || y.gateway
        || (x.index != 0 && y.index != x.index)
        || (y.destination && !y.destination->contains(*x.gateway)))
      continue;
    auto length = [](const route_info& r) {
      return r.destination ? r.destination->length() : 0;
    };
    if (best == nullptr || length(y) > length(*best))
      best = &y;
  }
  return best;
}

bool is_broadcast(const route_info& on_link, const ip_address& x) {
  return on_link.destination && on_link.destination->length() <= 30
         && x == on_link.destination->last();
}

/// Checks the gateway and fills in the link when the caller named none.
result<void>
check_gateway(space& ns, route_info& x, const std::string& subject) {
  if (x.gateway->family() != x.family)
    return fail(os_failure(EINVAL, subject, "the families differ"));
  if (x.gateway->is_v6() && x.gateway->is_link_local() && x.index != 0)
    return {};
  for (const auto& [index, link] : ns.links)
    if (x.family == ip_family::v6)
      for (const auto& own : link.addresses)
        if (own.address == *x.gateway)
          return fail(
            os_failure(EINVAL, subject, "Gateway can not be a local address"));
  auto candidates = connected_routes(ns, x.index);
  candidates.insert(candidates.end(), ns.routes.begin(), ns.routes.end());
  const auto* on_link = find_on_link(candidates, x);
  // Nobody is a neighbour on the loopback device, as IPv6 sees it.
  auto loops = on_link != nullptr && x.family == ip_family::v6
               && ns.links.at(on_link->index).loopback;
  if (on_link == nullptr || loops || x.gateway->is_multicast())
    return fail(
      os_failure(ENETUNREACH, subject, "Nexthop has invalid gateway"));
  if (x.family == ip_family::v4 && is_broadcast(*on_link, *x.gateway))
    return fail(os_failure(EINVAL, subject, "Nexthop has invalid gateway"));
  x.index = on_link->index;
  return {};
}

result<void>
check_link(space& ns, const route_info& x, const std::string& subject) {
  const auto* link = ns.find(x.index);
  if (link == nullptr)
    return fail(os_failure(ENODEV, subject));
  if (x.family == ip_family::v6 && !link->has_ipv6())
    return fail(os_failure(ENODEV, subject));
  if (x.family == ip_family::v6 && !link->runs_ipv6())
    return fail(
      os_failure(EACCES, subject, "IPv6 is disabled on nexthop device"));
  if (!link->info.up)
    return fail(os_failure(ENETDOWN, subject, "Device for nexthop is not up"));
  return {};
}

bool matches(const route_info& have, const route_info& wanted) {
  // What the request does not name matches anything.
  auto same_gateway = !wanted.gateway || have.gateway == wanted.gateway;
  return have.family == wanted.family && have.destination == wanted.destination
         && have.table == wanted.table && have.type == wanted.type
         && same_gateway && (wanted.index == 0 || have.index == wanted.index)
         && (wanted.metric == 0 || effective_metric(have) == wanted.metric)
         && (wanted.protocol == 0 || have.protocol == wanted.protocol);
}

/// What the kernel makes for one address.
/// @param first of the link's routes in `out`.
void append_kernel_routes(const link_state& link, const interface_address& x,
                          ptrdiff_t first, std::vector<route_info>& out) {
  auto v4 = x.address.is_v4();
  auto base = route_info{};
  base.family = x.address.family();
  base.index = link.info.index;
  base.protocol = made_by_kernel;
  if (v4)
    base.source = x.address;
  auto add = [&](prefix destination, uint32_t table, route_type type) {
    auto route = base;
    route.destination = destination;
    route.table = table;
    route.type = type;
    if (!v4 && type != route_type::local)
      route.metric = ipv6_address_metric;
    auto is_same = [&](route_info y) {
      y.source = route.source;
      return y == route;
    };
    // Two addresses of a link may have one subnet.
    if (std::none_of(out.begin() + first, out.end(), is_same))
      out.push_back(std::move(route));
  };
  auto bits = static_cast<uint8_t>(x.address.bits());
  add(prefix{x.address, bits}, local_table, route_type::local);
  // IPv4 keeps the subnet of the loopback device in the local table, and has
  // none of single addresses; IPv6 has none of ::1.
  if (v4 && x.length == bits)
    return;
  if (v4 && link.loopback)
    add(x.subnet(), local_table, route_type::local);
  else if (!x.address.is_loopback())
    add(x.subnet(), main_table, route_type::unicast);
  if (v4 && x.length < 31)
    add(prefix{x.subnet().last(), bits}, local_table, route_type::broadcast);
  if (!v4 && !link.loopback)
    add(prefix{*ip_address::parse("ff00::"), 8}, local_table,
        route_type::multicast);
}

bool comes_before(const rule_info& x, const rule_info& y) {
  return std::pair{x.family, x.priority} < std::pair{y.family, y.priority};
}

} // namespace

std::vector<route_info> kernel_routes(const space& ns, int only) {
  auto result = std::vector<route_info>{};
  for (const auto& [index, link] : ns.links) {
    if (!link.info.up || (only != 0 && only != index))
      continue;
    const auto first = std::ssize(result);
    for (const auto& x : link.addresses)
      append_kernel_routes(link, x, first, result);
  }
  if (!ns.lost.empty())
    std::erase_if(result, [&ns](const auto& x) {
      return ns.lost.contains(x);
    });
  return result;
}

std::vector<route_info> connected_routes(const space& ns, int only) {
  auto result = kernel_routes(ns, only);
  std::erase_if(result, [](const auto& x) {
    return x.table != main_table;
  });
  return result;
}

result<void> model::add_route(space& ns, route_info x) {
  auto subject = "add route " + describe(x);
  if (x.destination && x.destination->family() != x.family)
    return fail(os_failure(EINVAL, subject, "the families differ"));
  // The kernel reports a default route without destination.
  if (x.destination && x.destination->length() == 0)
    x.destination.reset();
  // IPv6 looks at the link before the gateway, IPv4 after it.
  if (x.family == ip_family::v6 && x.index != 0) {
    const auto* link = ns.find(x.index);
    if (link == nullptr || !link->has_ipv6())
      return fail(os_failure(ENODEV, subject));
  }
  if (x.gateway)
    if (auto good = check_gateway(ns, x, subject); !good)
      return good;
  if (auto good = check_link(ns, x, subject); !good)
    return good;
  auto collides = [&x](const route_info& y) {
    return y.family == x.family && y.destination == x.destination
           && y.table == x.table && effective_metric(y) == effective_metric(x)
           && (x.protocol != made_by_kernel || y.index == x.index);
  };
  if (std::ranges::any_of(ns.routes, collides)
      || (x.table >= main_table && x.table <= local_table
          && std::ranges::any_of(kernel_routes(ns), collides)))
    return fail(os_failure(EEXIST, subject));
  const auto* link = ns.find(x.index);
  // The kernel takes a route of an address for its own again.
  if (ns.lost.erase(x) == 0)
    ns.routes.insert(std::move(x));
  emit(ns, kernel_event::kind::route_changed, link);
  return {};
}

result<void> model::del_route(space& ns, const route_info& x) {
  auto wanted = x;
  if (wanted.destination && wanted.destination->length() == 0)
    wanted.destination.reset();
  auto it = std::ranges::find_if(ns.routes, [&wanted](const auto& have) {
    return matches(have, wanted);
  });
  if (it != ns.routes.end()) {
    const auto* link = ns.find(it->index);
    ns.routes.erase(it);
    emit(ns, kernel_event::kind::route_changed, link);
    return {};
  }
  for (auto& have : kernel_routes(ns)) {
    if (!matches(have, wanted))
      continue;
    const auto* link = ns.find(have.index);
    ns.lost.insert(std::move(have));
    emit(ns, kernel_event::kind::route_changed, link);
    return {};
  }
  return fail(os_failure(ESRCH, "delete route " + describe(x)));
}

result<void> model::add_rule(space& ns, const rule_info& x) {
  auto subject = "add rule " + std::to_string(x.priority);
  for (const auto& y : {x.from, x.to})
    if (y && y->family() != x.family)
      return fail(os_failure(EINVAL, subject, "the families differ"));
  if ((x.table == 0) == (x.jump == 0) || (x.jump != 0 && x.jump <= x.priority))
    return fail(os_failure(EINVAL, subject));
  if (std::ranges::find(ns.rules, x) != ns.rules.end())
    return fail(os_failure(EEXIST, subject));
  ns.rules.insert(std::ranges::upper_bound(ns.rules, x, comes_before), x);
  return {};
}

result<void> model::del_rule(space& ns, const rule_info& x) {
  auto it = std::ranges::find(ns.rules, x);
  if (it == ns.rules.end())
    return fail(
      os_failure(ENOENT, "delete rule " + std::to_string(x.priority)));
  ns.rules.erase(it);
  emit(ns, kernel_event::kind::route_changed);
  return {};
}

} // namespace troupe::netns::simulation
