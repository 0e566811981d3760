#include "troupe/drivers/address_routes.hpp"

#include "troupe/drivers/steps.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>

namespace troupe::drivers {

using netns::kernel;
using netns::local_table;
using netns::made_by_kernel;
using netns::route_info;
using netns::route_type;
using netns::undo_stack;

namespace {

// Of the routes that the kernel makes for IPv6 addresses.
constexpr uint32_t metric_v6 = 256;

// The kernel makes the local route of an IPv6 address a moment after the
// address, in a work queue.
constexpr auto work_queue = std::chrono::milliseconds{10};

bool is_local_v6(const route_info& x) {
  return x.family == ip_family::v6 && x.type == route_type::local;
}

// The kernel gives a local IPv6 route that others make another metric and
// does not take it away with its address: the address is made again instead.
result<void> add_address_again(kernel& k, undo_stack& undo, int index,
                               const interface_address& x) {
  undo.push([&k, index, x] {
    (void)k.add_address(index, x);
  });
  auto gone = k.del_address(index, x);
  if (!gone && gone.error().os_error != EADDRNOTAVAIL)
    return gone;
  return k.add_address(index, x);
}

} // namespace

std::vector<route_info>
address_routes(int index, std::span<const interface_address> addresses) {
  auto result = std::vector<route_info>{};
  auto add = [&](const interface_address& x, const prefix& destination,
                 route_type type) {
    auto route = route_info{};
    route.family = x.address.family();
    route.destination = destination;
    route.index = index;
    route.protocol = made_by_kernel;
    route.type = type;
    if (type != route_type::unicast)
      route.table = local_table;
    if (x.address.is_v4())
      route.source = x.address;
    else if (type != route_type::local)
      route.metric = metric_v6;
    if (!has_route(result, route))
      result.push_back(std::move(route));
  };
  for (const auto& x : addresses) {
    const auto bits = static_cast<uint8_t>(x.address.bits());
    add(x, {x.address, bits}, route_type::local);
    if (x.length < bits)
      add(x, x.subnet(), route_type::unicast);
    if (x.address.is_v4() && x.length < 31)
      add(x, {x.subnet().last(), bits}, route_type::broadcast);
    if (x.address.is_v6())
      add(x, {*ip_address::parse("ff00::"), 8}, route_type::multicast);
  }
  return result;
}

result<std::vector<route_info>>
lost_routes(kernel& k, int index,
            std::span<const interface_address> addresses) {
  auto lost = address_routes(index, addresses);
  if (lost.empty())
    return lost;
  auto present = k.link_routes(index);
  if (!present)
    return fail(std::move(present.error()));
  std::erase_if(lost, [&](const auto& x) {
    return has_route(*present, x);
  });
  return lost;
}

bool is_present(std::span<const route_info> routes,
                const interface_address& address) {
  return std::ranges::any_of(routes, [&](const auto& x) {
    return x.type == route_type::local
           && x.destination
                == prefix{address.address,
                          static_cast<uint8_t>(address.address.bits())};
  });
}

bool has_link_local(std::span<const route_info> routes) {
  return std::ranges::any_of(routes, [](const auto& x) {
    return is_local_v6(x) && x.destination
           && x.destination->address().is_link_local();
  });
}

result<void> add_link_local(kernel& k, undo_stack& undo, int index,
                            const interface_address& x) {
  auto routes = k.link_routes(index);
  if (!routes)
    return fail(std::move(routes.error()));
  if (is_present(*routes, x))
    return {};
  undo.push([&k, index, x] {
    (void)k.del_address(index, x);
  });
  auto done = k.add_address(index, x);
  if (done || done.error().os_error != EEXIST)
    return done;
  // The kernel has made it meanwhile, or its local route is gone.
  routes = k.link_routes(index);
  if (routes && is_present(*routes, x))
    return {};
  return add_address_again(k, undo, index, x);
}

result<void> drop_link_local(kernel& k, undo_stack& undo, int index,
                             const interface_address& x) {
  auto routes = k.link_routes(index);
  if (!routes)
    return fail(std::move(routes.error()));
  if (!is_present(*routes, x))
    return {};
  undo.push([&k, index, x] {
    (void)k.add_address(index, x);
  });
  auto gone = k.del_address(index, x);
  if (!gone && gone.error().os_error != EADDRNOTAVAIL)
    return gone;
  return {};
}

result<void> restore_routes(kernel& k, undo_stack& undo, int index,
                            std::span<const interface_address> addresses) {
  if (addresses.empty())
    return {};
  auto lost = lost_routes(k, index, addresses);
  if (lost && std::ranges::any_of(*lost, is_local_v6)) {
    std::this_thread::sleep_for(work_queue);
    lost = lost_routes(k, index, addresses);
  }
  if (!lost)
    return fail(std::move(lost.error()));
  auto any = false;
  for (const auto& x : addresses) {
    const auto own = address_routes(index, {&x, 1}).front();
    if (!is_local_v6(own) || !has_route(*lost, own))
      continue;
    if (auto done = add_address_again(k, undo, index, x); !done)
      return done;
    any = true;
  }
  // An address brings its other routes along.
  if (any)
    lost = lost_routes(k, index, addresses);
  if (!lost)
    return fail(std::move(lost.error()));
  for (const auto& x : *lost)
    if (!is_local_v6(x))
      if (auto done = add_route(k, undo, x); !done)
        return done;
  return {};
}

} // namespace troupe::drivers
