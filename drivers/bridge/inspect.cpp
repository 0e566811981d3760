#include "troupe/drivers/bridge/device.hpp"
#include "troupe/drivers/bridge/endpoint.hpp"
#include "troupe/drivers/bridge/host_end.hpp"
#include "troupe/drivers/differences.hpp"
#include "troupe/drivers/steps.hpp"

#include <algorithm>

namespace troupe::drivers {

namespace {

using netns::kernel;
using netns::link_info;
using netns::sysctl;

using lines = std::vector<std::string>;

void compare_own_bridge(differences& found, const instance& owner,
                        const link_info& link, const wanted_bridge& wanted) {
  found.compare("name", link.name, wanted.name);
  found.compare("mtu", link.mtu_bytes, wanted.mtu_bytes);
  found.compare("mac", to_string(link.mac), to_string(wanted.mac));
  found.compare("alias", link.alias, owner.alias(wanted.id));
  found.compare("group", link.group, owner.link_group());
  found.expect(link.master == 0, "is part of another link");
  found.expect(link.arp, "asks for no neighbours (ARP is off)");
  found.expect(!link.stp, "spanning tree is on");
  found.expect(!link.vlan_filtering, "VLAN filtering is on");
}

// Those that are there: one that is missing takes its routes along.
result<void> compare_routes(kernel& k, differences& found, int index,
                            std::span<const interface_address> present,
                            std::span<const interface_address> wanted) {
  auto addresses = std::vector<interface_address>{};
  for (const auto& x : wanted)
    if (std::find(present.begin(), present.end(), x) != present.end())
      addresses.push_back(x);
  auto lost = lost_routes(k, index, addresses);
  if (!lost)
    return fail(std::move(lost.error()));
  for (const auto& x : *lost)
    found.note(
      fmt::format("route to {} is missing", to_string(*x.destination)));
  return {};
}

result<void> compare_ipv6(kernel& k, differences& found,
                          const std::string& name, bool wanted) {
  auto off = k.read_sysctl(sysctl::ipv6_disable, name);
  if (!off) {
    if (!is_missing(off.error()))
      return fail(std::move(off.error()));
    found.expect(!wanted, "has no IPv6");
    return {};
  }
  found.expect((*off == 0) == wanted, wanted ? "IPv6 is off" : "IPv6 is on");
  return {};
}

// A user's bridge may hold the gateway's address with another length.
lines missing_gateways(std::span<const interface_address> present,
                       const wanted_bridge& wanted, bool is_ours) {
  auto result = lines{};
  for (const auto& x : wanted.addresses) {
    auto is_there = [&](const interface_address& y) {
      return is_ours ? x == y : x.address == y.address;
    };
    if (std::none_of(present.begin(), present.end(), is_there))
      result.push_back(fmt::format("address {} is missing", to_string(x)));
  }
  return result;
}

void compare_host_end(differences& found, const link_info& link,
                      const wanted_endpoint& wanted, int bridge) {
  found.compare("name", link.name, wanted.name);
  found.compare("mtu", link.mtu_bytes, wanted.mtu_bytes);
  found.compare("alias", link.alias, wanted.alias);
  found.compare("group", link.group, wanted.group);
  found.expect(link.up, "is down");
  found.expect(link.master == bridge,
               fmt::format("is not in bridge {}", wanted.bridge));
  auto flags = link.port.value_or(netns::port_flags{});
  found.compare("isolated", flags.isolated, wanted.flags.isolated);
  found.compare("hairpin", flags.hairpin, wanted.flags.hairpin);
  found.compare("learning", flags.learning, wanted.flags.learning);
  found.compare("flood", flags.flood, wanted.flags.flood);
  found.compare("broadcast flood", flags.broadcast_flood,
                wanted.flags.broadcast_flood);
  found.compare("multicast flood", flags.multicast_flood,
                wanted.flags.multicast_flood);
  found.compare("locked", flags.locked, wanted.flags.locked);
  found.expect(!link.port_blocked, "forwards no frames (port state)");
  found.expect(link.arp, "asks for no neighbours (ARP is off)");
}

result<void> compare_peer(kernel& inside, differences& found,
                          const wanted_endpoint& wanted) {
  auto index = inside.link_index(wanted.interface);
  if (!index) {
    if (!is_missing(index.error()))
      return fail(std::move(index.error()));
    found.note("is missing in the sandbox");
    return {};
  }
  auto link = inside.link(*index);
  if (!link)
    return fail(std::move(link.error()));
  found.compare("kind", link->kind, std::string{"veth"});
  found.compare("mtu", link->mtu_bytes, wanted.mtu_bytes);
  found.compare("mac", to_string(link->mac), to_string(wanted.mac));
  found.expect(link->up, "is down");
  found.expect(link->arp, "asks for no neighbours (ARP is off)");
  auto addresses = inside.addresses(*index);
  if (!addresses)
    return fail(std::move(addresses.error()));
  for (const auto& x : missing_addresses(*addresses, wanted.addresses))
    found.note(fmt::format("address {} is missing", to_string(x)));
  if (wanted.gateways.empty())
    return {};
  auto routes = inside.routes();
  if (!routes)
    return fail(std::move(routes.error()));
  for (const auto& x : wanted.gateways)
    found.expect(has_default_route(*routes, *index, x),
                 fmt::format("default route via {} is missing", to_string(x)));
  return {};
}

result<lines> inspect_inside(kernel& k, const wanted_endpoint& wanted) {
  auto found = differences{wanted.interface};
  auto inside = k.enter(wanted.ns);
  if (!inside) {
    if (!is_missing(inside.error()))
      return fail(std::move(inside.error()));
    found.note("its namespace is gone");
    return found.take();
  }
  if (auto done = compare_peer(**inside, found, wanted); !done)
    return fail(std::move(done.error()));
  return found.take();
}

} // namespace

result<lines>
inspect_bridge(kernel& k, const instance& owner, const wanted_bridge& wanted) {
  auto found = differences{wanted.name};
  auto bridge = find_bridge(k, owner, wanted);
  if (!bridge)
    return fail(std::move(bridge.error()));
  if (!*bridge) {
    found.note("is missing");
    return found.take();
  }
  const auto& [link, is_ours] = **bridge;
  if (is_ours)
    compare_own_bridge(found, owner, link, wanted);
  else
    found.compare("name", link.name, wanted.name);
  found.expect(link.up, "is down");
  auto addresses = k.addresses(link.index);
  if (!addresses)
    return fail(std::move(addresses.error()));
  for (const auto& line : missing_gateways(*addresses, wanted, is_ours))
    found.note(line);
  if (auto done
      = compare_routes(k, found, link.index, *addresses, wanted.addresses);
      !done)
    return fail(std::move(done.error()));
  if (is_ours) {
    auto is_closed = lacks_forwarding(k, wanted);
    if (!is_closed)
      return fail(std::move(is_closed.error()));
    found.expect(!*is_closed, "IPv4 forwarding is off");
  }
  if (is_ours || wanted.has_ipv6)
    if (auto done = compare_ipv6(k, found, link.name, wanted.has_ipv6); !done)
      return fail(std::move(done.error()));
  return found.take();
}

result<lines> inspect_bridge_endpoint(kernel& k, const instance& owner,
                                      const wanted_endpoint& wanted) {
  auto found = differences{wanted.name};
  auto link = find_host_end(k, owner, wanted.name, wanted.id);
  if (!link) {
    if (link.error().code != ec::conflict)
      return fail(std::move(link.error()));
    found.note("exists and is not ours");
    return found.take();
  }
  if (!*link) {
    found.note("is missing");
    return found.take();
  }
  auto bridge = k.link_index(wanted.bridge);
  if (!bridge && !is_missing(bridge.error()))
    return fail(std::move(bridge.error()));
  compare_host_end(found, **link, wanted, bridge.value_or(-1));
  auto result = found.take();
  auto inside = inspect_inside(k, wanted);
  if (!inside)
    return inside;
  result.insert(result.end(), inside->begin(), inside->end());
  return result;
}

} // namespace troupe::drivers
