#pragma once

#include "troupe/actors/doctor/doctor.hpp"
#include "troupe/actors/services/pins.hpp"
#include "troupe/drivers/address_routes.hpp"
#include "troupe/drivers/bridge/names.hpp"
#include "troupe/drivers/inside/paths.hpp"
#include "troupe/netns/link_local.hpp"
#include "troupe/tests/unit/drivers/fixture.hpp"

namespace troupe::test {

inline constexpr uint64_t inode = 4'026'532'001;

/// A network, a sandbox and an endpoint joined to it, the same in all views.
struct healthy_world : testing::Test {
  healthy_world() {
    network = network_dual('a');
    auto driver = drivers::make("bridge", owner);
    bridge = driver->network_interface(network);

    endpoint.id.value = id_of('e');
    endpoint.network = network.id;
    endpoint.name = "c1";
    endpoint.addresses = {cidr("10.1.0.2/16"), cidr("fd00:1::2/64")};
    endpoint.mac = mac_address::parse("02:42:0a:01:00:02").value();
    host_end = driver->host_interface(endpoint);

    sandbox.id.value = id_of('5');
    sandbox.name = "box";
    sandbox.netns_inode = inode;

    views.store = {{network},
                   {endpoint},
                   {sandbox},
                   {{endpoint.id, network.id, sandbox.id, "eth0", {}}}};
    views.networks = {{network, bridge, {endpoint.id}, "ready"}};
    auto status = endpoint_status{};
    status.spec = endpoint;
    status.network_name = network.name;
    status.sandbox = sandbox.id;
    views.endpoints = {status};
    views.sandboxes.resize(1);
    views.sandboxes[0].spec = sandbox;
    fill_kernel();
  }

  void fill_kernel() {
    auto link = netns::audit_link{};
    link.index = 5;
    link.name = bridge;
    link.kind = "bridge";
    link.up = true;
    link.group = owner.link_group();
    link.alias = owner.alias(network.id.value);
    link.mtu_bytes = 1500;
    link.mac = drivers::bridge_mac(network.id);
    link.addresses = {cidr("10.1.0.1/16"), cidr("fd00:1::1/64")};
    views.kernel.links = {link};
    auto placed = link.addresses;
    placed.push_back(netns::link_local_of(link.mac));
    views.kernel.routes = drivers::address_routes(link.index, placed);
    auto end = netns::audit_link{};
    end.index = 6;
    end.name = host_end;
    end.kind = "veth";
    end.up = true;
    end.group = owner.link_group();
    end.alias = owner.alias(endpoint.id.value);
    end.mtu_bytes = 1500;
    end.master = link.index;
    end.bridge = bridge;
    end.port = netns::port_flags{};
    views.kernel.links.push_back(end);
    auto inside = netns::audit_link{};
    inside.name = "eth0";
    inside.kind = "veth";
    inside.up = true;
    inside.mtu_bytes = 1500;
    inside.mac = *endpoint.mac;
    inside.addresses = endpoint.addresses;
    inside.index = 2;
    auto pin = netns::audit_pin{};
    pin.name = pin_name(sandbox.id);
    pin.inode = inode;
    pin.links = {inside};
    pin.gateway = ip("10.1.0.1");
    pin.gateway_v6 = ip("fd00:1::1");
    auto paths = drivers::want_paths({network, endpoint, {{}, "eth0"}});
    paths.link_local = netns::link_local_of(inside.mac);
    pin.routes = drivers::routes_of(paths, inside.index);
    pin.rules = drivers::rules_of(paths);
    views.kernel.pins = {pin};
  }

  /// The one finding there must be: `object: problem -> repair`.
  std::string finding() {
    auto found = diagnose(views, owner).findings;
    auto text = std::string{};
    for (const auto& x : found) {
      EXPECT_FALSE(x.repaired);
      text += (text.empty() ? "" : "\n") + x.object + ": " + x.problem + " -> "
              + x.repair;
    }
    return text;
  }

  netns::audit_link& bridge_link() {
    return views.kernel.links[0];
  }
  netns::audit_link& host_link() {
    return views.kernel.links[1];
  }
  netns::audit_pin& pin() {
    return views.kernel.pins[0];
  }

  network_spec network;
  endpoint_spec endpoint;
  sandbox_spec sandbox;
  std::string bridge;
  std::string host_end;
  doctor_views views;
  const std::string network_title
    = "network net-a (" + std::string(12, 'a') + "): ";
  const std::string endpoint_title
    = "endpoint net-a/c1 (" + std::string(12, 'e') + "): ";
  const std::string sandbox_title
    = "sandbox box (" + std::string(12, '5') + "): ";
};

} // namespace troupe::test
