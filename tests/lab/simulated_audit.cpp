#include "troupe/tests/lab/simulated_audit.hpp"

#include "troupe/netns/simulated/forwarding.hpp"

#include <algorithm>

namespace troupe::testing {

namespace {

std::vector<netns::audit_link> links_of(const netns::simulated_namespace& ns) {
  auto result = std::vector<netns::audit_link>{};
  for (const auto& x : ns.links) {
    auto link = netns::audit_link{x.info, {}, x.addresses};
    for (const auto& y : ns.links)
      if (y.info.index == x.info.master)
        link.bridge = y.info.name;
    result.push_back(std::move(link));
  }
  return result;
}

std::vector<netns::route_info> routes_of(const netns::simulated_namespace& ns) {
  auto result = std::vector<netns::route_info>{};
  for (const auto* all : {&ns.routes, &ns.other_routes, &ns.kernel_routes})
    result.insert(result.end(), all->begin(), all->end());
  return result;
}

netns::audit_pin
pin_of(const std::string& name, const netns::simulated_namespace& ns) {
  auto pin = netns::audit_pin{};
  pin.name = name;
  pin.inode = ns.inode;
  pin.links = links_of(ns);
  pin.routes = routes_of(ns);
  pin.rules = ns.rules;
  pin.neighbours = ns.neighbours;
  for (const auto& route : ns.routes) {
    if (route.destination || route.protocol != netns::made_by_troupe)
      continue;
    (route.family == ip_family::v4 ? pin.gateway : pin.gateway_v6)
      = route.gateway;
  }
  return pin;
}

using owner = netns::obstruction::owner;

std::vector<netns::obstruction>
obstructions_of(const netns::simulated_namespace& host,
                std::span<const netns::promised_network> networks) {
  auto result = std::vector<netns::obstruction>{};
  const auto forwards_v4 = host.sysctls_all.at(netns::sysctl::ipv4_forwarding);
  const auto forwards_v6 = host.sysctls_all.at(netns::sysctl::ipv6_forwarding);
  for (const auto& x : networks) {
    if (x.leaves_ipv4 && forwards_v4 == 0)
      result.push_back({owner::setting, "host", "net.ipv4.ip_forward is off",
                        "sysctl -w net.ipv4.ip_forward=1"});
    if (x.leaves_ipv6 && forwards_v6 == 0)
      result.push_back({owner::setting, "host",
                        "net.ipv6.conf.all.forwarding is off",
                        "sysctl -w net.ipv6.conf.all.forwarding=1"});
    const auto* bridge = find_link(host, x.bridge);
    if (bridge == nullptr)
      continue;
    if (x.leaves_ipv4 && forwards_v4 != 0
        && bridge->sysctls.at(netns::sysctl::ipv4_forwarding) == 0)
      result.push_back(
        {owner::ours, x.title, "forwarding of " + x.bridge + " is off", {}});
  }
  std::ranges::sort(result);
  result.erase(std::unique(result.begin(), result.end()), result.end());
  return result;
}

} // namespace

netns::audit_view audit_of(const netns::simulated_world& world,
                           std::span<const netns::promised_network> networks) {
  const auto seen = world.view();
  auto result = netns::audit_view{};
  result.links = links_of(seen.namespaces.front());
  result.routes = routes_of(seen.namespaces.front());
  result.neighbours = seen.namespaces.front().neighbours;
  for (const auto& [name, inode] : seen.pins) {
    auto pin = netns::audit_pin{};
    pin.name = name;
    for (const auto& ns : seen.namespaces)
      if (inode != 0 && ns.inode == inode)
        pin = pin_of(name, ns);
    result.pins.push_back(std::move(pin));
  }
  result.obstructions = obstructions_of(seen.namespaces.front(), networks);
  return result;
}

} // namespace troupe::testing
