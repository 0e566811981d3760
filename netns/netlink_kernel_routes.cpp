#include "troupe/netns/netlink_kernel_impl.hpp"

#include <algorithm>
#include <cerrno>
#include <set>

namespace troupe::netns {

namespace {

tl::unexpected<error> os_fail(int number, std::string_view operation) {
  return fail(os_failure(number, operation));
}
std::string describe(const route_info& x) {
  auto result
    = x.destination
        ? to_string(*x.destination)
        : std::string{x.family == ip_family::v4 ? "0.0.0.0/0" : "::/0"};
  if (x.gateway)
    result.append(" via ").append(to_string(*x.gateway));
  return result.append(numbered(" on link", x.index));
}

} // namespace

result<void>
netlink_kernel::add_address(int index, const interface_address& x) {
  auto message = new_address(index, x);
  if (auto done = socket_.call(message); !done.ok())
    return done.fail("add address " + to_string(x)
                     + numbered(" to link", index));
  return {};
}

result<void>
netlink_kernel::del_address(int index, const interface_address& x) {
  auto message = remove_address(index, x);
  if (auto done = socket_.call(message); !done.ok())
    return done.fail("delete address " + to_string(x)
                     + numbered(" of link", index));
  return {};
}

result<std::vector<interface_address>> netlink_kernel::addresses(int index) {
  auto operation = [&] {
    return numbered("list addresses of link", index);
  };
  if (!exists(index))
    return os_fail(ENODEV, operation());
  auto found = std::vector<interface_address>{};
  auto message = ask_addresses(index);
  auto done = socket_.dump(
    message,
    [&] {
      found.clear();
    },
    [&](const nlmsghdr& answer) {
      if (auto address = read_address(answer, index))
        found.push_back(*address);
    });
  if (!done.ok())
    return done.fail(operation());
  return found;
}

result<void> netlink_kernel::add_route(const route_info& x) {
  auto message = new_route(x);
  auto done = socket_.call(message);
  if (done.ok())
    return {};
  // IPv6 says EHOSTUNREACH where IPv4 says ENETUNREACH: no way to the gateway.
  if (done.error == EHOSTUNREACH)
    done.error = ENETUNREACH;
  return done.fail("add route " + describe(x));
}

result<void> netlink_kernel::del_route(const route_info& x) {
  auto message = remove_route(x);
  if (auto done = socket_.call(message); !done.ok())
    return done.fail("delete route " + describe(x));
  return {};
}

result<void> netlink_kernel::each_route(
  const std::function<void(const known_route&)>& visit) {
  for (auto family : {ip_family::v4, ip_family::v6}) {
    auto message = ask_routes(family);
    auto found = std::vector<known_route>{};
    auto done = socket_.dump(
      message,
      [&] {
        found.clear();
      },
      [&](const nlmsghdr& answer) {
        if (auto route = read_route(answer, family))
          found.push_back(std::move(*route));
      });
    // A table that never held a route does not exist yet.
    if (!done.ok() && done.error != ENOENT)
      return done.fail("list routes");
    std::ranges::for_each(found, visit);
  }
  return {};
}

result<std::vector<route_info>> netlink_kernel::routes() {
  auto found = std::vector<route_info>{};
  auto done = each_route([&](const known_route& route) {
    if (route.unicast && !route.kernel_made)
      found.insert(found.end(), route.hops.begin(), route.hops.end());
  });
  if (!done)
    return fail(std::move(done.error()));
  return found;
}

result<std::vector<prefix>> netlink_kernel::routed_subnets() {
  auto found = std::set<prefix>{};
  auto done = each_route([&](const known_route& route) {
    for (auto& hop : route.hops)
      if (hop.destination && !hop.destination->address().is_link_local()
          && !hop.destination->address().is_multicast())
        found.insert(*hop.destination);
  });
  if (!done)
    return fail(std::move(done.error()));
  return std::vector<prefix>{found.begin(), found.end()};
}

result<void> netlink_kernel::set_neighbour(const neighbour_info& x) {
  auto message = new_neighbour(x);
  if (auto done = socket_.call(message); !done.ok())
    return done.fail("set neighbour " + to_string(x.address)
                     + numbered(" on link", x.index));
  return {};
}

result<void> netlink_kernel::del_neighbour(const neighbour_info& x) {
  auto message = remove_neighbour(x);
  if (auto done = socket_.call(message); !done.ok())
    return done.fail("delete neighbour " + to_string(x.address)
                     + numbered(" on link", x.index));
  return {};
}

} // namespace troupe::netns
