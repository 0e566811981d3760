#include "troupe/drivers/bridge/compare.hpp"

#include "troupe/drivers/address_routes.hpp"
#include "troupe/drivers/differences.hpp"
#include "troupe/drivers/steps.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace troupe::drivers {

namespace {

using netns::link_info;

using lines = std::vector<std::string>;

void compare_own_bridge(differences& found, const instance& owner,
                        const link_info& link, const wanted_bridge& wanted) {
  found.compare("mtu", link.mtu_bytes, wanted.mtu_bytes);
  found.compare("mac", to_string(link.mac), to_string(wanted.mac));
  found.compare("alias", link.alias, owner.alias(wanted.id));
  found.compare("group", link.group, owner.link_group());
  found.expect(!link.learns_link_local, "learns from link-local frames");
  found.expect(link.master == 0, "is part of another link");
  found.expect(link.arp, "asks for no neighbours (ARP is off)");
  found.expect(!link.stp, "spanning tree is on");
  found.expect(!link.vlan_filtering, "VLAN filtering is on");
}

// A user's bridge may hold the gateway's address with another length.
void compare_gateways(differences& found, const seen_interface& seen,
                      const wanted_bridge& wanted, bool is_ours) {
  for (const auto& x : wanted.addresses) {
    auto is_there = [&](const interface_address& y) {
      return is_ours ? x == y : x.address == y.address;
    };
    if (std::ranges::none_of(seen.addresses, is_there))
      found.note(fmt::format("address {} is missing", to_string(x)));
  }
}

// Those of addresses that are there: one that is missing takes its routes
// along.
void compare_routes(differences& found, const seen_interface& seen,
                    const wanted_bridge& wanted) {
  auto addresses = std::vector<interface_address>{};
  for (const auto& x : wanted.addresses)
    if (std::ranges::find(seen.addresses, x) != seen.addresses.end())
      addresses.push_back(x);
  for (const auto& x : address_routes(seen.link.index, addresses))
    if (!has_route(seen.routes, x))
      found.note(
        fmt::format("route to {} is missing", to_string(*x.destination)));
}

// Without one the kernel asks for no neighbour of an IPv6 packet that it
// forwards. A bridge of the user's may have any.
void compare_link_local(differences& found, const seen_interface& seen,
                        const wanted_bridge& wanted, bool is_ours) {
  if (!wanted.link_local)
    return;
  if (!is_ours)
    return found.expect(has_link_local(seen.routes),
                        "an IPv6 link-local address is missing");
  if (!is_present(seen.routes, *wanted.link_local))
    return found.note(
      fmt::format("address {} is missing", to_string(*wanted.link_local)));
  for (const auto& x :
       address_routes(seen.link.index, {&*wanted.link_local, 1}))
    if (x.type == netns::route_type::unicast && !has_route(seen.routes, x))
      found.note(
        fmt::format("route to {} is missing", to_string(*x.destination)));
}

} // namespace

lines compare_bridge(const instance& owner, const seen_interface& seen,
                     const wanted_bridge& wanted, bool is_ours) {
  auto found = differences{wanted.name};
  found.compare("name", seen.link.name, wanted.name);
  if (is_ours)
    compare_own_bridge(found, owner, seen.link, wanted);
  found.expect(seen.link.up, "is down");
  compare_gateways(found, seen, wanted, is_ours);
  // One that is down has no routes.
  if (seen.link.up) {
    compare_routes(found, seen, wanted);
    compare_link_local(found, seen, wanted, is_ours);
  }
  return found.take();
}

lines compare_host_end(const link_info& link, const wanted_endpoint& wanted,
                       bool is_in_bridge) {
  auto found = differences{wanted.name};
  found.compare("name", link.name, wanted.name);
  found.compare("mtu", link.mtu_bytes, wanted.mtu_bytes);
  found.compare("alias", link.alias, wanted.alias);
  found.compare("group", link.group, wanted.group);
  found.expect(link.up, "is down");
  found.expect(is_in_bridge, fmt::format("is not in bridge {}", wanted.bridge));
  auto flags = link.port.value_or(netns::port_flags{});
  if (is_in_bridge) {
    found.compare("isolated", flags.isolated, wanted.flags.isolated);
    found.compare("hairpin", flags.hairpin, wanted.flags.hairpin);
    found.compare("learning", flags.learning, wanted.flags.learning);
    found.compare("flood", flags.flood, wanted.flags.flood);
    found.compare("broadcast flood", flags.broadcast_flood,
                  wanted.flags.broadcast_flood);
    found.compare("multicast flood", flags.multicast_flood,
                  wanted.flags.multicast_flood);
    found.compare("locked", flags.locked, wanted.flags.locked);
  }
  found.expect(!link.port_blocked, "forwards no frames (port state)");
  found.expect(link.arp, "asks for no neighbours (ARP is off)");
  return found.take();
}

lines compare_peer(const seen_interface& seen, const wanted_endpoint& wanted) {
  const auto& link = seen.link;
  auto found = differences{wanted.interface};
  found.compare("kind", link.kind, std::string{"veth"});
  found.compare("mtu", link.mtu_bytes, wanted.mtu_bytes);
  found.compare("mac", to_string(link.mac), to_string(wanted.mac));
  found.expect(link.up, "is down");
  found.expect(link.arp, "asks for no neighbours (ARP is off)");
  for (const auto& x :
       missing_addresses(seen.addresses, wanted.paths.addresses))
    found.note(fmt::format("address {} is missing", to_string(x)));
  // One that is down has no routes; its rules stay.
  auto paths = wanted.paths;
  for (const auto& line :
       compare_paths({seen.routes, seen.rules}, paths, link.index))
    if (link.up || !line.starts_with("route "))
      found.note(line);
  return found.take();
}

} // namespace troupe::drivers
