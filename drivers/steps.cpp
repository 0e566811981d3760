#include "troupe/drivers/steps.hpp"

#include "troupe/drivers/inside/paths.hpp"
#include "troupe/netns/link_local.hpp"

#include <algorithm>
#include <cerrno>
#include <iterator>

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

// What a link loses when it goes down.
struct volatile_part {
  std::vector<interface_address> addresses;
  std::vector<netns::route_info> routes;
};

result<volatile_part> remember(kernel& k, int index) {
  auto addresses = k.addresses(index);
  if (!addresses)
    return fail(std::move(addresses.error()));
  auto routes = k.link_routes(index);
  if (!routes)
    return fail(std::move(routes.error()));
  // It is not among the addresses, and the kernel makes it but once.
  for (const auto& x : *routes)
    if (x.type == netns::route_type::local && x.destination
        && netns::is_made_of_mac(x.destination->address()))
      addresses->push_back({x.destination->address(), 64});
  // The kernel makes its own again with the addresses.
  std::erase_if(*routes, [](const auto& x) {
    return x.protocol == netns::made_by_kernel;
  });
  // A gateway must be reachable first.
  std::stable_partition(routes->begin(), routes->end(), [](const auto& x) {
    return !x.gateway;
  });
  return volatile_part{std::move(*addresses), std::move(*routes)};
}

result<void> give_back(kernel& k, int index, const volatile_part& x) {
  auto is_there = [](const result<void>& done) {
    return done || done.error().os_error == EEXIST;
  };
  for (const auto& address : x.addresses)
    if (auto done = k.add_address(index, address); !is_there(done))
      return done;
  for (const auto& route : x.routes)
    if (auto done = k.add_route(route); !is_there(done))
      return done;
  return {};
}

// Before Linux 6.2 a link must be down to be renamed.
result<void> rename_below(kernel& k, int index, const link_change& change,
                          const volatile_part& kept) {
  auto flip = link_change{};
  flip.up = false;
  if (auto lowered = k.set_link(index, flip); !lowered)
    return lowered;
  flip.up = change.up.value_or(true);
  auto named = change;
  named.up = flip.up;
  auto done = k.set_link(index, named);
  if (!done)
    (void)k.set_link(index, flip); // The first error is the one to tell.
  if (!*flip.up)
    return done;
  auto given = give_back(k, index, kept);
  return done ? given : done;
}

// Renaming a link that is up.
result<void>
rename_running(kernel& k, undo_stack& undo, int index,
               const link_change& request, const link_change& inverse) {
  auto kept = remember(k, index);
  if (!kept)
    return fail(std::move(kept.error()));
  auto apply = [&k, index, kept = *kept](const link_change& change) {
    auto done = k.set_link(index, change);
    if (!done && done.error().os_error == EBUSY)
      return rename_below(k, index, change, kept);
    return done;
  };
  undo.push([&k, index, kept = *kept] {
    (void)give_back(k, index, kept);
  });
  undo.push([apply, back = inverse]() mutable {
    back.up = true; // A failure on the way may have left it down.
    (void)apply(back);
  });
  return apply(request);
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
  any |= differs(wanted.learns_link_local, now.learns_link_local,
                 request.learns_link_local, inverse.learns_link_local);
  any |= differs(wanted.arp, now.arp, request.arp, inverse.arp);
  any |= differs(wanted.stp, now.stp, request.stp, inverse.stp);
  any |= differs(wanted.vlan_filtering, now.vlan_filtering,
                 request.vlan_filtering, inverse.vlan_filtering);
  if (now.port && now.port_blocked && wanted.port_blocked == false) {
    request.port_blocked = false; // Nobody wants the inverse.
    any = true;
  }
  if (!any)
    return {};
  // Leaving a bridge resets a port's flags; they come back last.
  if (moves && now.port)
    undo.push([&k, index = now.index, flags = *now.port] {
      (void)k.set_port_flags(index, flags);
    });
  if (request.name && now.up)
    return rename_running(k, undo, now.index, request, inverse);
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

std::vector<interface_address>
addresses_of(ip_family family, std::span<const interface_address> all) {
  auto result = std::vector<interface_address>{};
  std::ranges::copy_if(all, std::back_inserter(result), [=](const auto& x) {
    return x.address.family() == family;
  });
  return result;
}

result<void> add_missing_addresses(kernel& k, undo_stack& undo, int index,
                                   std::span<const interface_address> wanted) {
  if (wanted.empty())
    return {};
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

bool has_route(std::span<const netns::route_info> present,
               const netns::route_info& wanted) {
  return std::ranges::any_of(present, [&](netns::route_info x) {
    // Of two addresses in a subnet only the first is told as the source.
    x.source = wanted.source;
    if (wanted.protocol == netns::made_by_kernel) {
      x.protocol = wanted.protocol;
      x.metric = wanted.metric;
    }
    return x == wanted;
  });
}

result<void>
add_route(kernel& k, undo_stack& undo, const netns::route_info& x) {
  undo.push([&k, x] {
    (void)k.del_route(x);
  });
  auto done = k.add_route(x);
  if (done || done.error().os_error != EEXIST)
    return done;
  // Somebody else's is there, or the lost answer of a request that was done.
  auto present = k.link_routes(x.index);
  if (present && has_route(*present, x))
    return {};
  if (x.destination)
    done.error().hint = "somebody else's route is in its place: ip route show "
                        + to_string(*x.destination);
  return done;
}

result<void>
drop_route(kernel& k, undo_stack& undo, const netns::route_info& x) {
  undo.push([&k, x] {
    (void)k.add_route(x);
  });
  return k.del_route(x);
}

bool has_default_route(std::span<const netns::route_info> routes, int index,
                       const ip_address& gateway) {
  return std::ranges::find(routes, default_route_to(gateway, index))
         != routes.end();
}

result<void> change_default_route(kernel& k, undo_stack& undo, int index,
                                  const ip_address& gateway) {
  auto present = k.routes();
  if (!present)
    return fail(std::move(present.error()));
  if (has_default_route(*present, index, gateway))
    return {};
  for (const auto& x : *present) {
    if (!is_our_default(x) || x.family != gateway.family())
      continue;
    if (auto done = drop_route(k, undo, x); !done)
      return done;
  }
  auto route = default_route_to(gateway, index);
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
