#include "troupe/config/model/json.hpp"

#include "live_system.hpp"
#include <thread>

namespace troupe::test {

namespace {

struct life_cycle : live_system {
  /// Everything `inspect` tells, as text.
  std::string inspect_all() {
    return to_json(*call<network_list>(list_networks{})).dump(1)
           + to_json(*call<endpoint_list>(list_endpoints{})).dump(1)
           + to_json(*call<sandbox_list>(list_sandboxes{})).dump(1);
  }
};

TEST_F(life_cycle, FromCreationToNothing) {
  const auto empty = machine.print();
  auto network = make_network("web");
  EXPECT_EQ(network.state, "ready");
  EXPECT_TRUE(machine.has_link("", network.interface));
  ASSERT_EQ(network.spec.pools.size(), 1U);
  EXPECT_EQ(network.spec.pools[0].gateway, network.spec.pools[0].subnet->at(1));

  auto endpoint = make_endpoint("web", "ep1");
  EXPECT_EQ(endpoint.state, "created");
  EXPECT_FALSE(endpoint.sandbox);
  auto sandbox = make_sandbox("box");
  EXPECT_EQ(sandbox.key, "/run/troupe/netns/" + sandbox.spec.id.brief());

  auto joined
    = call<endpoint_status>(join_endpoint{"web", "ep1", "box"}).value();
  EXPECT_EQ(joined.state, "joined");
  EXPECT_EQ(joined.sandbox, sandbox.spec.id);
  EXPECT_EQ(joined.interface, "eth0");
  EXPECT_EQ(joined.gateway, network.spec.pools[0].gateway);
  auto inside = machine.link(sandbox.spec.id.brief(), "eth0");
  EXPECT_EQ(inside.addresses, endpoint.spec.addresses);
  EXPECT_EQ(inside.info.mac, endpoint.spec.mac);
  EXPECT_TRUE(machine.has_link("", joined.host_interface));

  EXPECT_EQ(outcome(leave_endpoint{"web", "ep1"}), "ok");
  EXPECT_FALSE(machine.has_link("", joined.host_interface));
  EXPECT_EQ(state_of_endpoint("ep1"), "created");
  EXPECT_EQ(outcome(remove_endpoint{"web", "ep1", false}), "ok");
  EXPECT_EQ(outcome(remove_sandbox{"box"}), "ok");
  EXPECT_EQ(outcome(remove_network{"web"}), "ok");
  EXPECT_EQ(machine.print(), empty);
  EXPECT_TRUE(disk->content.networks.empty());
  EXPECT_TRUE(disk->content.endpoints.empty());
  EXPECT_TRUE(disk->content.sandboxes.empty());
  EXPECT_TRUE(disk->content.joins.empty());
}

// Packets larger than the uplink's would be lost, or cost a round trip each.
TEST_F(life_cycle, ANetworkHasTheMtuOfTheUplink) {
  auto uplink = machine.world->add_hardware("wg0");
  auto resize = [&](uint32_t mtu_bytes) {
    auto change = netns::link_change{};
    change.mtu_bytes = mtu_bytes;
    ASSERT_TRUE(machine.world->change_link("", "wg0", change));
  };
  resize(1420);
  ASSERT_TRUE(machine.kernel->add_address(uplink, cidr("192.0.2.2/24")));
  auto route = netns::route_info{};
  route.gateway = ip("192.0.2.1");
  route.index = uplink;
  ASSERT_TRUE(machine.kernel->add_route(route));
  const auto label = std::string{"com.docker.network.driver.mtu"};
  auto web = make_network("web");
  EXPECT_EQ(web.spec.options, (text_map{{label, "1420"}}));
  auto named = network_spec{};
  named.name = "named";
  named.options = {{"mtu", "1300"}};
  EXPECT_EQ(outcome(create_network{named}), "ok");
  auto box = make_sandbox("box");
  auto endpoint = attach("web", "box");
  attach("named", "box");
  auto mtu = [&](const std::string& ns, const std::string& link) {
    return machine.link(ns, link).info.mtu_bytes;
  };
  auto expect_kept = [&] {
    EXPECT_EQ(mtu("", web.interface), 1420U);
    EXPECT_EQ(mtu("", endpoint.host_interface), 1420U);
    EXPECT_EQ(mtu(box.spec.id.brief(), "eth0"), 1420U);
    EXPECT_EQ(mtu(box.spec.id.brief(), "eth1"), 1300U);
  };
  expect_kept();
  // Decided once: what is running keeps its own.
  resize(1500);
  restart();
  expect_kept();
  EXPECT_EQ(make_network("later").spec.options, text_map{});
}

TEST_F(life_cycle, AttachAndDetach) {
  make_network("web");
  make_sandbox("box");
  auto attached = attach("web", "box");
  EXPECT_EQ(attached.spec.name, "box");
  EXPECT_TRUE(attached.spec.ephemeral);
  EXPECT_EQ(outcome(detach_sandbox{"web", "box"}), "ok");
  EXPECT_EQ(outcome(detach_sandbox{"web", "box"}),
            "not_found: detach sandbox \"box\": it is not on this network");
  EXPECT_TRUE(disk->content.endpoints.empty());
  // Name and address are free again.
  EXPECT_EQ(attach("web", "box").interface, "eth0");
}

TEST_F(life_cycle, TwoNetworksOneDefaultRoute) { // LN-19, BT-10
  make_network("b-net");
  make_network("a-net");
  auto sandbox = make_sandbox("box");
  auto b = attach("b-net", "box");
  auto a = attach("a-net", "box");
  EXPECT_EQ(b.interface, "eth0");
  EXPECT_EQ(a.interface, "eth1");
  const auto pin = sandbox.spec.id.brief();
  auto default_routes = [&] {
    auto gateways = std::vector<std::string>{};
    for (const auto& space : machine.world->view().namespaces)
      if (space.label == pin)
        for (const auto& route : space.routes)
          if (!route.destination)
            gateways.push_back(to_string(*route.gateway));
    return gateways;
  };
  // Of equals the first by name is the gateway, though it came second.
  EXPECT_EQ(default_routes(), std::vector{to_string(*a.gateway)});
  auto status = call<sandbox_status>(inspect_sandbox{"box"}).value();
  EXPECT_EQ(status.gateway, a.spec.id);
  EXPECT_EQ(status.endpoints, (std::vector{b.spec.id, a.spec.id}));
  EXPECT_EQ(outcome(detach_sandbox{"a-net", "box"}), "ok");
  EXPECT_EQ(default_routes(), std::vector{to_string(*b.gateway)});
}

TEST_F(life_cycle, SandboxRemovalTakesEverythingOut) { // LN-17
  auto network = make_network("web");
  make_network("db");
  make_sandbox("box");
  make_endpoint("db", "kept");
  attach("web", "box");
  ASSERT_EQ(outcome(join_endpoint{"db", "kept", "box"}), "ok");
  EXPECT_EQ(outcome(remove_sandbox{"box"}), "ok");
  EXPECT_TRUE(machine.world->view().pins.empty());
  EXPECT_TRUE(disk->content.joins.empty());
  // The ephemeral endpoint is gone, the other is there and may join again.
  auto left = call<endpoint_list>(list_endpoints{}).value().endpoints;
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left[0].spec.name, "kept");
  EXPECT_EQ(left[0].state, "created");
  EXPECT_EQ(outcome(remove_network{"web"}), "ok");
}

TEST_F(life_cycle, AnEndpointSurvivesTheRemovalOfItsSandbox) {
  make_network("web");
  make_sandbox("old");
  make_endpoint("web", "ep1");
  ASSERT_EQ(outcome(join_endpoint{"web", "ep1", "old"}), "ok");
  ASSERT_EQ(outcome(remove_sandbox{"old"}), "ok");
  make_sandbox("new");
  ASSERT_EQ(outcome(join_endpoint{"web", "ep1", "new"}), "ok");
  const auto built = fingerprint(*machine.world, true);
  // The driver looks after the links of the old sandbox half a second later,
  // and must do nothing then.
  std::this_thread::sleep_for(std::chrono::milliseconds{700});
  EXPECT_EQ(fingerprint(*machine.world, true), built);
}

TEST_F(life_cycle, HostSandboxesJoinHostNetworks) { // LN-46, LN-47
  make_network("host", "host");
  make_network("web");
  auto spec = sandbox_spec{};
  spec.name = "box";
  spec.use_host_namespace = true;
  auto sandbox = call<sandbox_status>(create_sandbox{spec}).value();
  EXPECT_EQ(sandbox.key, "");
  auto attached = attach("host", "box");
  EXPECT_EQ(attached.interface, "");
  EXPECT_TRUE(attached.spec.addresses.empty());
  EXPECT_EQ(outcome(attach_sandbox{"web", "box", {}}).substr(0, 10),
            "forbidden:");
  EXPECT_EQ(outcome(remove_sandbox{"box"}), "ok");
}

TEST_F(life_cycle, AdoptedNamespacesLiveOn) {
  const auto path = std::string{"/proc/4711/ns/net"};
  auto external = machine.world->make_external_namespace(path);
  const auto before = machine.print();
  auto network = make_network("web");
  auto spec = sandbox_spec{};
  spec.name = "box";
  spec.netns_path = path;
  auto sandbox = call<sandbox_status>(create_sandbox{spec}).value();
  EXPECT_EQ(sandbox.spec.netns_inode, external.inode);
  attach("web", "box");
  EXPECT_EQ(outcome(remove_sandbox{"box"}), "ok");
  EXPECT_EQ(outcome(remove_network{"web"}), "ok");
  EXPECT_EQ(machine.print(), before);
}

// -- restart ------------------------------------------------------------------

TEST_F(life_cycle, ARestartKeepsEverything) { // LN-43, BT-07
  make_network("web");
  make_network("db");
  make_sandbox("box");
  make_endpoint("db", "kept");
  make_endpoint("web", "idle");
  attach("web", "box");
  ASSERT_EQ(outcome(join_endpoint{"db", "kept", "box"}), "ok");
  const auto machine_before = fingerprint(*machine.world, true);
  const auto told_before = inspect_all();
  restart();
  EXPECT_EQ(fingerprint(*machine.world, true), machine_before);
  EXPECT_EQ(inspect_all(), told_before);
  EXPECT_EQ(call<daemon_status>(get_status{}).value().generation, 2U);
  // Names, addresses and subnets are still taken.
  EXPECT_EQ(outcome(attach_sandbox{"web", "box", {}}).substr(0, 9),
            "conflict:");
  auto third = make_network("third");
  const auto listed = call<network_list>(list_networks{});
  for (const auto& x : listed.value().networks)
    EXPECT_TRUE(
      x.spec.name == "third"
      || !x.spec.pools[0].subnet->overlaps(*third.spec.pools[0].subnet));
  EXPECT_EQ(outcome(remove_sandbox{"box"}), "ok");
  EXPECT_EQ(outcome(remove_network{"web"}),
            "forbidden: remove network \"web\": it has 1 endpoints: idle");
}

// What is connected to a container, and what it has begun, lives on.
TEST_F(life_cycle, ARestartForgetsNoConnections) {
  make_network("web");
  make_sandbox("box");
  const auto attached = attach("web", "box");
  auto tracked = netns::connection_info{};
  tracked.proto = protocol::tcp;
  tracked.client = attached.spec.addresses.at(0).address;
  tracked.host = tracked.server = *ip_address::parse("192.0.2.9");
  tracked.client_port = 40'000;
  tracked.host_port = tracked.server_port = 443;
  tracked.source_translated = tracked.answered = true;
  ASSERT_TRUE(machine.world->track("", tracked));
  restart();
  EXPECT_TRUE(call<doctor_report>(run_doctor{false}).value().findings.empty());
  EXPECT_EQ(machine.world->view().namespaces.at(0).connections,
            std::vector{tracked});
}

// The proxy's answer to a question that the kernel had forgotten: its client's
// next questions would count as answers to it, and never be translated.
TEST_F(life_cycle, ARestartForgetsWhatTheProxySeemsToHaveBegun) {
  make_network("web");
  make_sandbox("box");
  const auto attached = attach("web", "box");
  auto port = port_spec{};
  port.proto = protocol::udp;
  port.port = 80;
  port.host_port = 8080;
  ASSERT_EQ(outcome(publish_ports{"", to_string(attached.spec.id), {port}}),
            "ok");
  auto tracked = netns::connection_info{};
  tracked.proto = protocol::udp;
  tracked.client = *ip_address::parse("192.0.2.1");
  tracked.client_port = 8080;
  tracked.host = tracked.server = *ip_address::parse("192.0.2.9");
  tracked.host_port = tracked.server_port = 40'000;
  tracked.answered = true;
  ASSERT_TRUE(machine.world->track("", tracked));
  auto other = tracked;
  other.client_port = 8081;
  other.host_port = other.server_port = 40'001;
  ASSERT_TRUE(machine.world->track("", other));
  restart();
  EXPECT_EQ(machine.world->view().namespaces.at(0).connections,
            std::vector{other});
}

// Without rules everybody gets in, and what is tracked then would stay.
TEST_F(life_cycle, NobodyStaysWhoCameWhileTheRulesWereGone) {
  make_network("web");
  make_sandbox("box");
  const auto own = attach("web", "box").spec.addresses.at(0).address;
  auto out = netns::connection_info{};
  out.proto = protocol::tcp;
  out.client = own;
  out.host = out.server = ip("192.0.2.9");
  out.client_port = 40'000;
  out.host_port = out.server_port = 443;
  out.source_translated = out.answered = true;
  auto in = out;
  in.client = ip("192.0.2.9");
  in.host = in.server = own;
  in.source_translated = false;
  ASSERT_TRUE(machine.world->track("", out));
  ASSERT_TRUE(machine.world->track("", in));
  ASSERT_TRUE(machine.world->flush_ruleset(""));
  const auto tracked = [&] {
    return machine.world->view().namespaces.at(0).connections;
  };
  for (auto i = 0; i < 500 && tracked().size() > 1; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds{20});
  EXPECT_EQ(tracked(), std::vector{out});
}

TEST_F(life_cycle, WhatWasLostIsThereAgainAfterARestart) {
  auto network = make_network("web");
  auto sandbox = make_sandbox("box");
  auto attached = attach("web", "box");
  const auto built = shape();
  backend.reset();
  ASSERT_TRUE(machine.world->delete_link("", attached.host_interface));
  ASSERT_TRUE(machine.world->flush_addresses("", network.interface));
  start();
  EXPECT_EQ(shape(), built);
  machine.world->reboot();
  forward();
  restart();
  EXPECT_EQ(shape(), built);
}

TEST_F(life_cycle, WhatNobodyOwnsIsRemovedByARestart) {
  make_network("web");
  const auto wanted = machine.print();
  backend.reset();
  auto driver = drivers::make("bridge", instance::of(how.run_dir));
  ASSERT_TRUE(driver->create_network(*machine.kernel, network_v4('d')));
  machine.sandbox("0123456789ab");
  start();
  EXPECT_EQ(machine.print(), wanted);
}

TEST_F(life_cycle, AFreshStoreDoesNotRemoveWhatItDoesNotKnow) {
  make_network("web");
  const auto before = machine.print();
  backend.reset();
  disk = std::make_shared<persistence::memory_disk>();
  auto parts = embedded_parts{};
  parts.open_kernel = netns::simulated_kernel_factory(machine.world);
  parts.open_store = [disk = disk] {
    return persistence::open_memory(disk);
  };
  auto opened = open_backend(how, parts);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ec::conflict);
  EXPECT_NE(opened.error().hint.find("--remove-leftovers"), std::string::npos);
  EXPECT_EQ(machine.print(), before);
}

// What comes later is named by the doctor, and takes no network away.
TEST_F(life_cycle, ASubnetThatTheHostIsOnIsRefused) {
  const auto lan = machine.world->add_hardware("lan0");
  ASSERT_TRUE(machine.kernel->add_address(lan, cidr("10.77.0.5/24")));
  const auto before = machine.print();
  auto wanted = network_spec{};
  wanted.name = "web";
  wanted.pools = {pool("10.77.0.0/16", "10.77.0.1")};
  auto refused = call<network_status>(create_network{wanted});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ec::conflict);
  EXPECT_NE(refused.error().message.find("lan0"), std::string::npos);
  EXPECT_EQ(machine.print(), before);
  ASSERT_TRUE(machine.kernel->del_address(lan, cidr("10.77.0.5/24")));
  EXPECT_TRUE(call<network_status>(create_network{wanted}));
  ASSERT_TRUE(machine.kernel->add_address(lan, cidr("10.77.0.5/24")));
  restart();
  auto status = call<daemon_status>(get_status{});
  ASSERT_TRUE(status);
  EXPECT_EQ(status->networks, 1U);
}

} // namespace

} // namespace troupe::test
