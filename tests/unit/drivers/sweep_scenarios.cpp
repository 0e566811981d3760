#include "sweep_scenarios.hpp"

#include <ostream>

namespace troupe::test {

namespace {

bool network_stands(stage& x) {
  auto lines = x.driver->inspect_network(*x.machine.kernel, x.network);
  return lines && lines->empty();
}

bool endpoints_stand(stage& x) {
  for (const auto& plan : x.plans) {
    auto lines = x.driver->inspect_endpoint(*x.machine.kernel, plan);
    if (!lines || !lines->empty())
      return false;
  }
  return true;
}

bool endpoints_are_gone(stage& x) {
  auto all = x.driver->list(*x.machine.kernel).value();
  for (const auto& found : all)
    if (found.what != drivers::found_object::kind::network)
      return false;
  return true;
}

bool all_is_gone(stage& x) {
  return x.driver->list(*x.machine.kernel).value().empty();
}

result<void> create_network(stage& x, netns::kernel& k) {
  return x.driver->create_network(k, x.network);
}

result<void> create_first(stage& x, netns::kernel& k) {
  return x.driver->create_endpoint(k, x.plans.front());
}

void nothing(stage&) {
}

void one_endpoint(stage& x) {
  x.add_endpoint();
}

void three_endpoints(stage& x) {
  for (auto i = 0; i < 3; ++i)
    x.add_endpoint();
}

void isolated_endpoint(stage& x) {
  x.network.options["icc"] = "false";
  x.add_endpoint();
}

void host_bridge(stage& x) {
  x.network.options["name"] = "br0";
  auto index = x.machine.foreign_bridge("br0");
  auto change = netns::link_change{};
  change.up = false;
  change.alias = "rack 7";
  ASSERT_TRUE(x.machine.kernel->set_link(index, change));
  ASSERT_TRUE(
    x.machine.kernel->set_sysctl(netns::sysctl::ipv6_disable, "br0", 1));
}

void only_network(stage& x) {
  ASSERT_TRUE(x.driver->create_network(*x.machine.kernel, x.network));
}

void everything(stage& x) {
  x.build();
}

void damaged_bridge(stage& x) {
  x.build();
  auto name = x.driver->network_interface(x.network);
  ASSERT_TRUE(x.machine.world->flush_addresses("", name));
  auto change = netns::link_change{};
  change.up = false;
  change.mtu_bytes = 1400;
  change.mac = mac_address{{2, 1, 1, 1, 1, 1}};
  change.name = "stolen";
  ASSERT_TRUE(x.machine.world->change_link("", name, change));
}

void damaged_endpoint(stage& x) {
  x.build();
  auto change = netns::link_change{};
  change.up = false;
  change.mtu_bytes = 1400;
  change.name = "stolen";
  change.master = 0;
  ASSERT_TRUE(x.machine.world->change_link("", "trp000000000001", change));
  ASSERT_TRUE(x.machine.world->flush_addresses("box-1", "eth0"));
  ASSERT_TRUE(x.machine.world->flush_routes("box-1"));
  change.master.reset();
  change.name.reset();
  ASSERT_TRUE(x.machine.world->change_link("box-1", "eth0", change));
}

// Renamed by an administrator, who took it down for that.
void renamed_on_old_kernel(stage& x) {
  x.build();
  auto change = netns::link_change{};
  change.name = "stolen";
  auto bridge = x.driver->network_interface(x.network);
  ASSERT_TRUE(x.machine.world->change_link("box-1", "eth0", change));
  change.name = "stolen0";
  ASSERT_TRUE(x.machine.world->change_link("", bridge, change));
  change.name = "stolen1";
  ASSERT_TRUE(x.machine.world->change_link("", "trp000000000001", change));
  x.machine.world->set_release(6, 1);
}

void bare_pair(stage& x) {
  only_network(x);
  auto request = netns::veth_request{};
  request.name = "trp000000000001";
  request.group = owner.link_group();
  request.peer_name = "eth0";
  request.peer_mac = mac_address::from_ipv4(ip("10.1.0.2"));
  request.peer_namespace = x.plans.front().where.ns;
  ASSERT_TRUE(x.machine.kernel->add_veth(request));
}

void other_default_route(stage& x) {
  auto other = network_v4('b');
  other.pools = {pool("10.2.0.0/16", "10.2.0.1")};
  auto second = plan_for(other, x.plans.front().where.ns, 9);
  second.where.interface = "eth9";
  x.other_networks = {other};
  x.other_plans = {second};
  only_network(x);
  ASSERT_TRUE(x.driver->create_network(*x.machine.kernel, other));
  ASSERT_TRUE(x.driver->create_endpoint(*x.machine.kernel, second));
}

void lost_peer(stage& x) {
  x.build();
  x.machine.world->defer_teardown(true);
  ASSERT_TRUE(x.machine.kernel->remove_namespace("box-1"));
  x.plans.front().where.ns = x.machine.sandbox("box-1");
}

const scenario scenarios[] = {
  {"CreateNetwork", nothing, nothing, create_network, network_stands},
  {"CreateNetworkAgain", nothing, only_network, create_network, network_stands},
  {"CreateNetworkOnHostBridge", host_bridge, nothing, create_network,
   network_stands},
  {"MendNetwork", one_endpoint, damaged_bridge, create_network, network_stands,
   false, true},
  {"CreateEndpoint", one_endpoint, only_network, create_first, endpoints_stand},
  {"CreateIsolatedEndpoint", isolated_endpoint, only_network, create_first,
   endpoints_stand},
  {"CreateEndpointAgain", isolated_endpoint, everything, create_first,
   endpoints_stand},
  {"CreateEndpointOverDefaultRoute", one_endpoint, other_default_route,
   create_first, endpoints_stand},
  {"MendEndpoint", isolated_endpoint, damaged_endpoint, create_first,
   endpoints_stand},
  {"MendNamesOnOldKernel", isolated_endpoint, renamed_on_old_kernel,
   [](stage& x, netns::kernel& k) {
     auto done = create_network(x, k);
     return done ? create_first(x, k) : done;
   },
   [](stage& x) {
     return network_stands(x) && endpoints_stand(x);
   },
   true},
  {"MendBarePair", isolated_endpoint, bare_pair, create_first, endpoints_stand,
   true},
  {"MendLostPeer", one_endpoint, lost_peer, create_first, endpoints_stand},
  {"RemoveNetwork", nothing, everything,
   [](stage& x, netns::kernel& k) {
     return x.driver->remove_network(k, x.network);
   },
   all_is_gone, true},
  {"RemoveNetworkFromHostBridge", host_bridge, everything,
   [](stage& x, netns::kernel& k) {
     return x.driver->remove_network(k, x.network);
   },
   all_is_gone},
  {"RemoveEndpoint", one_endpoint, everything,
   [](stage& x, netns::kernel& k) {
     return x.driver->remove_endpoints(k, x.plans);
   },
   endpoints_are_gone, true},
  {"RemoveThreeEndpoints", three_endpoints, everything,
   [](stage& x, netns::kernel& k) {
     return x.driver->remove_endpoints(k, x.plans);
   },
   endpoints_are_gone, true},
  {"RemoveFound", three_endpoints, everything,
   [](stage& x, netns::kernel& k) {
     auto found = x.driver->list(k);
     return found ? x.driver->remove_found(k, *found)
                  : result<void>{fail(found.error())};
   },
   all_is_gone, true},
  {"Inspect", three_endpoints, everything,
   [](stage& x, netns::kernel& k) {
     auto lines = x.driver->inspect_network(k, x.network);
     if (!lines)
       return result<void>{fail(lines.error())};
     lines = x.driver->inspect_endpoint(k, x.plans.back());
     return lines ? result<void>{} : result<void>{fail(lines.error())};
   },
   [](stage& x) {
     return network_stands(x) && endpoints_stand(x);
   }},
};

} // namespace

std::ostream& operator<<(std::ostream& out, const scenario& x) {
  return out << x.name;
}

std::span<const scenario> bridge_scenarios() {
  return scenarios;
}

} // namespace troupe::test
