#include "troupe/drivers/steps.hpp"

#include <algorithm>
#include <cerrno>

namespace troupe::drivers {

namespace {

using netns::kernel;
using netns::link_change;
using netns::undo_stack;

// Takes one property over into the request and its inverse if it differs.
template <class T>
bool differs(const std::optional<T>& wanted, const T& now,
             std::optional<T>& request, std::optional<T>& inverse) {
  if (!wanted || *wanted == now)
    return false;
  request = *wanted;
  inverse = now;
  return true;
}

result<void> add_address(kernel& k, undo_stack& undo, int index,
                         const interface_address& x) {
  undo.push([&k, index, x] {
    (void)k.del_address(index, x);
  });
  auto done = k.add_address(index, x);
  if (done || done.error().os_error != EEXIST)
    return done;
  auto present = k.addresses(index);
  auto is_there = present && missing_addresses(*present, {&x, 1}).empty();
  return is_there ? result<void>{} : done;
}

// The kernel gives an IPv6 route without a metric this one.
constexpr uint32_t default_metric_v6 = 1024;

bool has_our_metric(const netns::route_info& x) {
  return x.metric == 0
         || (x.family == ip_family::v6 && x.metric == default_metric_v6);
}

result<void>
drop_route(kernel& k, undo_stack& undo, const netns::route_info& x) {
  undo.push([&k, x] {
    (void)k.add_route(x);
  });
  return k.del_route(x);
}

} // namespace

bool is_missing(const error& why) {
  return why.code == ec::not_found;
}

result<void>
change_link(kernel& k, undo_stack& undo, const netns::link_info& now,
            const link_change& wanted) {
  auto request = link_change{};
  auto inverse = link_change{};
  auto any = differs(wanted.up, now.up, request.up, inverse.up);
  auto moves
    = differs(wanted.master, now.master, request.master, inverse.master);
  any |= moves;
  any |= differs(wanted.mtu_bytes, now.mtu_bytes, request.mtu_bytes,
                 inverse.mtu_bytes);
  any |= differs(wanted.mac, now.mac, request.mac, inverse.mac);
  any |= differs(wanted.group, now.group, request.group, inverse.group);
  any |= differs(wanted.alias, now.alias, request.alias, inverse.alias);
  any |= differs(wanted.name, now.name, request.name, inverse.name);
  if (!any)
    return {};
  // Leaving a bridge resets a port's flags; they come back last.
  if (moves && now.port)
    undo.push([&k, index = now.index, flags = *now.port] {
      (void)k.set_port_flags(index, flags);
    });
  undo.push([&k, index = now.index, inverse] {
    (void)k.set_link(index, inverse);
  });
  return k.set_link(now.index, request);
}

result<void>
change_port(kernel& k, undo_stack& undo, int index,
            const netns::port_flags& now, const netns::port_flags& wanted) {
  if (now == wanted)
    return {};
  undo.push([&k, index, now] {
    (void)k.set_port_flags(index, now);
  });
  return k.set_port_flags(index, wanted);
}

std::vector<interface_address>
missing_addresses(std::span<const interface_address> present,
                  std::span<const interface_address> wanted) {
  auto result = std::vector<interface_address>{};
  for (const auto& x : wanted)
    if (std::find(present.begin(), present.end(), x) == present.end())
      result.push_back(x);
  return result;
}

result<void> add_missing_addresses(kernel& k, undo_stack& undo, int index,
                                   std::span<const interface_address> wanted) {
  auto present = k.addresses(index);
  if (!present)
    return fail(std::move(present.error()));
  for (const auto& x : missing_addresses(*present, wanted)) {
    for (const auto& other : *present) {
      if (other.address != x.address)
        continue;
      undo.push([&k, index, other] {
        (void)k.add_address(index, other);
      });
      if (auto done = k.del_address(index, other); !done)
        return done;
    }
    if (auto done = add_address(k, undo, index, x); !done)
      return done;
  }
  return {};
}

bool has_default_route(std::span<const netns::route_info> routes, int index,
                       const ip_address& gateway) {
  auto is_wanted = [&](const netns::route_info& x) {
    return x.family == gateway.family() && !x.destination && x.index == index
           && x.gateway == gateway;
  };
  return std::any_of(routes.begin(), routes.end(), is_wanted);
}

result<void> change_default_route(kernel& k, undo_stack& undo, int index,
                                  const ip_address& gateway) {
  auto present = k.routes();
  if (!present)
    return fail(std::move(present.error()));
  if (has_default_route(*present, index, gateway))
    return {};
  for (const auto& x : *present) {
    if (x.destination || x.family != gateway.family() || !has_our_metric(x))
      continue;
    if (auto done = drop_route(k, undo, x); !done)
      return done;
  }
  auto route = netns::route_info{};
  route.family = gateway.family();
  route.gateway = gateway;
  route.index = index;
  undo.push([&k, route] {
    (void)k.del_route(route);
  });
  auto done = k.add_route(route);
  if (done || done.error().os_error != EEXIST)
    return done;
  present = k.routes();
  auto is_there = present && has_default_route(*present, index, gateway);
  return is_there ? result<void>{} : done;
}

result<void> change_sysctl(kernel& k, undo_stack& undo, netns::sysctl key,
                           const std::string& interface, int value) {
  auto now = k.read_sysctl(key, interface);
  if (!now)
    return fail(std::move(now.error()));
  if (*now == value)
    return {};
  undo.push([&k, key, interface, was = *now] {
    (void)k.set_sysctl(key, interface, was);
  });
  return k.set_sysctl(key, interface, value);
}

} // namespace troupe::drivers
