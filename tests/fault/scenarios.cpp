#include "troupe/tests/fault/scenarios.hpp"

#include <algorithm>
#include <iterator>

namespace troupe::fault {

namespace {

ipam_pool pool(const char* subnet) {
  auto result = ipam_pool{};
  result.subnet = *prefix::parse(subnet);
  return result;
}

/// A network `front` of both families.
request front() {
  auto spec = network_spec{};
  spec.name = "front";
  spec.enable_ipv6 = true;
  spec.pools = {pool("10.1.0.0/24"), pool("fd00:1::/64")};
  return create_network{spec};
}

/// A network `back` of IPv4 only.
request back() {
  auto spec = network_spec{};
  spec.name = "back";
  spec.pools = {pool("10.2.0.0/24")};
  return create_network{spec};
}

/// `front` with a gateway mode for both families.
request front_in_mode(const char* mode) {
  auto result = std::get<create_network>(front());
  for (const auto* label : {"com.docker.network.bridge.gateway_mode_ipv4",
                            "com.docker.network.bridge.gateway_mode_ipv6"})
    result.spec.options[label] = mode;
  result.spec.internal = mode == std::string_view{"isolated"};
  return result;
}

/// An internal network `closed`.
request closed() {
  auto spec = network_spec{};
  spec.name = "closed";
  spec.internal = true;
  spec.pools = {pool("10.3.0.0/24")};
  return create_network{spec};
}

request automatic() {
  auto spec = network_spec{};
  spec.name = "automatic";
  return create_network{spec};
}

request box(const std::string& path = {}) {
  auto spec = sandbox_spec{};
  spec.name = "box";
  spec.netns_path = path;
  return create_sandbox{spec};
}

request web() {
  auto spec = endpoint_spec{};
  spec.name = "web";
  return create_endpoint{"front", spec};
}

request join() {
  return join_endpoint{"front", "web", "box"};
}

request attach(const std::string& network, int priority = 0) {
  auto spec = endpoint_spec{};
  spec.priority = priority;
  return attach_sandbox{network, "box", spec};
}

/// For an interface of this name inside.
request attach_as(const char* interface, const std::string& network) {
  auto spec = endpoint_spec{};
  spec.options["ifname"] = interface;
  return attach_sandbox{network, "box", spec};
}

/// Port 80 at host port 8080, both families, and 53/udp at an automatic one.
std::vector<port_spec> ports() {
  auto fixed = port_spec{};
  fixed.port = 80;
  fixed.host_port = 8'080;
  auto automatic = port_spec{};
  automatic.proto = protocol::udp;
  automatic.port = 53;
  return {fixed, automatic};
}

request attach_with_ports() {
  auto spec = endpoint_spec{};
  spec.name = "shop";
  spec.ports = ports();
  return attach_sandbox{"front", "box", spec};
}

request publish(const std::string& endpoint) {
  return publish_ports{"front", endpoint, ports()};
}

const auto external = std::string{"/proc/7/ns/net"};

std::vector<scenario> usual_scenarios() {
  return {
    {"create_network", {}, front()},
    {"create_network_automatic", {front()}, automatic()},
    {"remove_network", {front(), back()}, remove_network{"front"}, true},
    {"create_endpoint", {front()}, web()},
    {"remove_endpoint",
     {front(), web()},
     remove_endpoint{"front", "web", false},
     true},
    {"remove_endpoint_force",
     {front(), web(), box(), join()},
     remove_endpoint{"front", "web", true},
     true},
    {"create_sandbox", {}, box()},
    {"create_sandbox_external", {}, box(external)},
    {"remove_sandbox", {box()}, remove_sandbox{"box"}, true},
    {"remove_sandbox_two_endpoints",
     {front(), back(), box(), web(), join(), attach("back")},
     remove_sandbox{"box"},
     true},
    {"remove_sandbox_external",
     {front(), back(), box(external), web(), join(), attach("back")},
     remove_sandbox{"box"},
     true},
    {"join", {front(), web(), box()}, join()},
    {"leave",
     {front(), web(), box(), join()},
     leave_endpoint{"front", "web"},
     true},
    {"attach", {front(), box()}, attach("front")},
    {"attach_external", {back(), box(external)}, attach("back")},
    {"attach_moves_default_route",
     {front(), back(), box(), attach("front")},
     attach("back", 10)},
    {"attach_with_ports", {front(), box()}, attach_with_ports()},
    {"detach_with_ports",
     {front(), box(), attach_with_ports()},
     detach_sandbox{"front", "box"},
     true},
    {"remove_sandbox_with_ports",
     {front(), box(), attach_with_ports()},
     remove_sandbox{"box"},
     true},
    {"publish", {front(), box(), attach("front")}, publish("box")},
    {"publish_before_the_join", {front(), web()}, publish("web")},
    {"unpublish",
     {front(), box(), attach_with_ports()},
     unpublish_ports{"front", "shop", {ports().front()}},
     true},
    {"detach",
     {front(), back(), box(), attach("front"), attach("back")},
     detach_sandbox{"back", "box"},
     true},
    {"detach_moves_default_route",
     {front(), back(), box(), attach("front"), attach("back", 10)},
     detach_sandbox{"back", "box"},
     true},
  };
}

/// Gateway modes, a start in the middle, refusals.
std::vector<scenario> more_scenarios() {
  return {
    {"create_network_routed", {}, front_in_mode("routed")},
    {"create_network_isolated", {back()}, front_in_mode("isolated")},
    {"remove_network_unprotected",
     {front_in_mode("nat-unprotected")},
     remove_network{"front"},
     true},
    {"attach_routed_with_ports",
     {front_in_mode("routed"), box()},
     attach_with_ports()},
    {"detach_unprotected_with_ports",
     {front_in_mode("nat-unprotected"), box(), attach_with_ports()},
     detach_sandbox{"front", "box"},
     true},
    {"attach_as_refused",
     {front(), back(), box(), attach_as("eth7", "front")},
     attach_as("eth7", "back"),
     false,
     false,
     true},
    {"attach_after_restart", {front(), box()}, attach("front"), false, true},
    {"leave_after_restart",
     {front(), web(), box(), join(), publish("web")},
     leave_endpoint{"front", "web"},
     true,
     true},
  };
}

} // namespace

std::vector<scenario> long_scenarios() {
  return {
    {"attach_third_network",
     {front(), back(), closed(), box(), attach("front"), attach("closed")},
     attach("back", 10)},
    {"publish_among_networks",
     {front(), back(), box(), attach("back", 10), attach("front")},
     publish("box")},
    {"publish_after_restart",
     {front(), box(), attach("front")},
     publish("box"),
     false,
     true},
  };
}

std::vector<scenario> scenarios() {
  auto result = usual_scenarios();
  std::ranges::move(more_scenarios(), std::back_inserter(result));
  return result;
}

} // namespace troupe::fault
