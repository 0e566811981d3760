#include "troupe/netns/simulated_model.hpp"

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
  auto candidates = connected_routes(ns);
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
         && same_gateway && (wanted.index == 0 || have.index == wanted.index)
         && (wanted.metric == 0 || effective_metric(have) == wanted.metric);
}

} // namespace

std::vector<route_info> connected_routes(const space& ns) {
  auto result = std::vector<route_info>{};
  for (const auto& [index, link] : ns.links) {
    if (!link.info.up)
      continue;
    for (const auto& x : link.addresses) {
      auto v4 = x.address.is_v4();
      // IPv4 keeps those of the loopback device, and single addresses, in the
      // local table; IPv6 does so for ::1.
      if (v4 ? link.loopback || x.length == 32 : x.address.is_loopback())
        continue;
      auto route = route_info{};
      route.family = x.address.family();
      route.destination = x.subnet();
      route.index = index;
      route.metric = v4 ? 0 : ipv6_address_metric;
      if (std::ranges::find(result, route) == result.end())
        result.push_back(std::move(route));
    }
  }
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
           && effective_metric(y) == effective_metric(x);
  };
  if (std::ranges::any_of(ns.routes, collides)
      || std::ranges::any_of(connected_routes(ns), collides))
    return fail(os_failure(EEXIST, subject));
  ns.routes.insert(std::move(x));
  emit(ns, kernel_event::kind::route_changed);
  return {};
}

result<void> model::del_route(space& ns, const route_info& x) {
  auto wanted = x;
  if (wanted.destination && wanted.destination->length() == 0)
    wanted.destination.reset();
  auto it = std::ranges::find_if(ns.routes, [&wanted](const auto& have) {
    return matches(have, wanted);
  });
  if (it == ns.routes.end())
    return fail(os_failure(ESRCH, "delete route " + describe(x)));
  ns.routes.erase(it);
  emit(ns, kernel_event::kind::route_changed);
  return {};
}

} // namespace troupe::netns::simulation
