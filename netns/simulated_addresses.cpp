#include "troupe/netns/simulated_model.hpp"

#include <algorithm>
#include <cerrno>

namespace troupe::netns::simulation {

namespace {

constexpr size_t most_announced = 4096;

/// The kernel's text for an address it refuses, empty if it takes it.
std::string_view refuse(const link_state& link, const ip_address& x) {
  if (x.is_v4())
    return {};
  if (x.is_unspecified())
    return "ipv6: Invalid address";
  if (x.is_multicast())
    return "ipv6: Cannot assign multicast address";
  if (x.is_loopback() && !link.loopback)
    return "ipv6: Cannot assign loopback address on this device";
  return {};
}

/// IPv4 takes the same address with another length as another one, IPv6 does
/// not.
bool is_same(const interface_address& x, const interface_address& y) {
  return x.address == y.address && (x.address.is_v6() || x.length == y.length);
}

void erase_routes(space& ns, int index, std::optional<ip_family> family = {}) {
  std::erase_if(ns.routes, [&](const route_info& x) {
    return x.index == index && (!family || x.family == *family);
  });
}

void add_loopback_address(link_state& link, std::string_view text) {
  auto x = interface_address::parse(text);
  if (x && std::ranges::find(link.addresses, *x) == link.addresses.end())
    link.addresses.push_back(*x);
}

} // namespace

bool link_state::has_address(ip_family family) const {
  return std::ranges::any_of(addresses, [family](const auto& x) {
    return x.address.family() == family;
  });
}

void bring_up(link_state& link) {
  link.info.up = true;
  if (!link.loopback)
    return;
  if (!link.has_address(ip_family::v4)) {
    add_loopback_address(link, "127.0.0.1/8");
    link.written.fill(true);
  }
  if (link.runs_ipv6())
    add_loopback_address(link, "::1/128");
}

void model::drop_ipv6(space& ns, link_state& link) {
  auto dropped = std::erase_if(link.addresses, [](const auto& x) {
    return x.address.is_v6();
  });
  if (dropped > 0)
    emit(ns, kernel_event::kind::address_changed, &link);
  erase_routes(ns, link.info.index, ip_family::v6);
  std::erase_if(ns.neighbours, [&link](const auto& x) {
    return x.first.first == link.info.index && x.first.second.is_v6();
  });
}

void model::bring_down(space& ns, link_state& link) {
  link.info.up = false;
  std::erase_if(ns.lost, [&link](const auto& x) {
    return x.index == link.info.index;
  });
  drop_ipv6(ns, link);
  erase_routes(ns, link.info.index);
  std::erase_if(ns.neighbours, [&link](const auto& x) {
    return x.first.first == link.info.index;
  });
}

result<void>
model::add_address(space& ns, int index, const interface_address& x) {
  auto found = link(ns, index, "add address " + to_string(x) + " to");
  if (!found)
    return fail(std::move(found.error()));
  auto& target = **found;
  auto subject = about("add address " + to_string(x) + " to", target.info.name);
  if (x.length > x.address.bits())
    return fail(os_failure(EINVAL, subject, "prefix length out of range"));
  if (auto why = refuse(target, x.address); !why.empty())
    return fail(os_failure(EADDRNOTAVAIL, subject, why));
  if (x.address.is_v6() && !target.has_ipv6())
    return fail(os_failure(EINVAL, subject, "the MTU is too small for IPv6"));
  if (x.address.is_v6() && !target.runs_ipv6())
    return fail(
      os_failure(EACCES, subject, "ipv6: IPv6 is disabled on this device"));
  for (const auto& old : target.addresses)
    if (is_same(old, x))
      return fail(os_failure(EEXIST, subject, "Address already assigned"));
  target.addresses.push_back(x);
  // From its first IPv4 address on a link no longer follows `default`.
  if (x.address.is_v4())
    target.written.fill(true);
  emit(ns, kernel_event::kind::address_changed, &target);
  return {};
}

result<void>
model::del_address(space& ns, int index, const interface_address& x) {
  auto found = link(ns, index, "delete address " + to_string(x) + " from");
  if (!found)
    return fail(std::move(found.error()));
  if (x.address.is_v6() && !(*found)->has_ipv6())
    return fail(
      os_failure(ENXIO, about("delete address " + to_string(x) + " from",
                              (*found)->info.name)));
  auto& all = (*found)->addresses;
  auto it = std::ranges::find(all, x);
  if (it == all.end())
    return fail(os_failure(
      EADDRNOTAVAIL,
      about("delete address " + to_string(x) + " from", (*found)->info.name),
      "Address not found"));
  // The first IPv4 address of a subnet is its primary one and takes the
  // others with it.
  auto is_peer = [&x](const auto& other) {
    return other.length == x.length && other.subnet() == x.subnet();
  };
  auto primary = std::ranges::find_if(all, is_peer) == it;
  all.erase(it);
  if (x.address.is_v4() && primary)
    std::erase_if(all, is_peer);
  if (x.address.is_v4() && !(*found)->has_address(ip_family::v4))
    erase_routes(ns, index, ip_family::v4);
  // What comes back with an address has its routes again.
  std::erase_if(ns.lost, [&](const auto& route) {
    return route.index == index && route.destination->contains(x.address);
  });
  emit(ns, kernel_event::kind::address_changed, *found);
  return {};
}

result<void> model::announce(space& ns, const neighbour_info& x) {
  auto operation = "announce " + to_string(x.address) + " on";
  auto found = link(ns, x.index, operation);
  if (!found)
    return fail(std::move(found.error()));
  if (!(*found)->info.up)
    return fail(os_failure(ENETDOWN, about(operation, (*found)->info.name)));
  if (ns.announced.size() == most_announced)
    ns.announced.erase(ns.announced.begin());
  ns.announced.push_back(x);
  return {};
}

result<void> model::set_neighbour(space& ns, const neighbour_info& x) {
  auto operation = "set neighbour " + to_string(x.address) + " on";
  auto found = link(ns, x.index, operation);
  if (!found)
    return fail(std::move(found.error()));
  if (x.address.is_v6() && !(*found)->runs_ipv6())
    return fail(os_failure(EINVAL, about(operation, (*found)->info.name),
                           "IPv6 is disabled on this device"));
  ns.neighbours[{x.index, x.address}] = x.mac;
  return {};
}

result<void> model::del_neighbour(space& ns, const neighbour_info& x) {
  auto operation = "delete neighbour " + to_string(x.address) + " from";
  auto found = link(ns, x.index, operation);
  if (!found)
    return fail(std::move(found.error()));
  if (ns.neighbours.erase({x.index, x.address}) == 0)
    return fail(os_failure(ENOENT, about(operation, (*found)->info.name)));
  return {};
}

} // namespace troupe::netns::simulation
