#include "troupe/netns/link_local.hpp"
#include "troupe/netns/simulated/model.hpp"

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

std::vector<interface_address> link_state::listed() const {
  auto result = addresses;
  std::erase_if(result, [](const auto& x) {
    return is_made_of_mac(x.address);
  });
  return result;
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

bool model::has_carrier(const space& ns, const link_state& link) const {
  if (link.info.kind == "bridge")
    return std::ranges::any_of(ns.links, [&](const auto& x) {
      return x.second.info.master == link.info.index && x.second.info.up;
    });
  if (link.peer == 0)
    return true;
  const auto there = spaces.find(link.peer_ns);
  if (there == spaces.end())
    return false;
  const auto other = there->second.links.find(link.peer);
  return other != there->second.links.end() && other->second.info.up;
}

void model::make_link_local(space& ns, link_state& link) {
  if (link.loopback || !link.info.up || !link.runs_ipv6()
      || link.value(sysctl::ipv6_addr_gen_mode) != 0 || !has_carrier(ns, link))
    return;
  const auto own = link_local_of(link.info.mac);
  if (std::ranges::find(link.addresses, own) != link.addresses.end())
    return;
  link.addresses.push_back(own);
  emit(ns, kernel_event::kind::address_changed, &link);
}

void model::settle_ipv6(space& ns, link_state& link) {
  make_link_local(ns, link);
  if (auto* bridge = ns.find(link.info.master); bridge != nullptr)
    make_link_local(ns, *bridge);
  if (auto there = spaces.find(link.peer_ns); there != spaces.end())
    if (auto* other = there->second.find(link.peer); other != nullptr)
      make_link_local(there->second, *other);
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
  all.erase(it);
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
  auto has_it = std::ranges::any_of((*found)->addresses, [&](const auto& y) {
    return y.address == x.address;
  });
  auto refusal = !(*found)->info.up && x.address.is_v4() ? ENETDOWN
                 : x.address.is_v6() && !has_it          ? EADDRNOTAVAIL
                                                         : 0;
  if (refusal != 0)
    return fail(os_failure(refusal, about(operation, (*found)->info.name)));
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
  emit(ns, kernel_event::kind::neighbour_changed, *found);
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

result<neighbour_info>
model::neighbour(space& ns, int index, const ip_address& address) {
  auto operation = "look up neighbour " + to_string(address) + " on";
  auto found = link(ns, index, operation);
  if (!found)
    return fail(std::move(found.error()));
  auto entry = ns.neighbours.find({index, address});
  if (entry == ns.neighbours.end())
    return fail(os_failure(ENOENT, about(operation, (*found)->info.name)));
  return neighbour_info{index, address, entry->second};
}

} // namespace troupe::netns::simulation
