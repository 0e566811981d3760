// What somebody else does on the simulated host.

#include "troupe/tests/sim/reach/sim_names.hpp"
#include "troupe/tests/sim/reach/sim_world.hpp"

namespace troupe::test::reach {

// The simulated kernel has no rules of others. A permanent neighbour that
// somebody else made is neither seen nor replaced yet.
std::vector<hand> simulated_hands() {
  auto result = std::vector<hand>{};
  for (auto i = 0; i < hand_count; ++i)
    if (auto x = static_cast<hand>(i);
        x != hand::foreign_drop && x != hand::wrong_neighbour)
      result.push_back(x);
  return result;
}

std::string sim_world::do_harm(const step& x) {
  auto& world = *host_.world;
  auto kernel = netns::open_simulated_kernel(host_.world);
  auto network
    = answer<network_status>(host_.call(inspect_network{n(x.network)}));
  auto endpoint = answer<endpoint_status>(
    host_.call(inspect_endpoint{n(x.network), s(x.sandbox)}));
  auto key
    = answer<sandbox_status>(host_.call(inspect_sandbox{s(x.sandbox)})).key;
  auto pin = key.substr(key.rfind('/') + 1);
  auto v6 = x.v6 && now_.networks[static_cast<size_t>(x.network)].v6;
  auto forwarding
    = x.v6 ? netns::sysctl::ipv6_forwarding : netns::sysctl::ipv4_forwarding;
  auto change = netns::link_change{};
  auto done = result<void>{};
  switch (x.by) {
  case hand::delete_route: {
    auto route = netns::route_info{};
    route.family = v6 ? ip_family::v6 : ip_family::v4;
    route.destination = prefix::parse(subnet_of(x.network, v6)).value();
    route.index = kernel->link_index(network.interface).value_or(0);
    route.protocol = 0;
    done = kernel->del_route(route);
    break;
  }
  case hand::flush_address:
    done = world.flush_addresses("", network.interface);
    break;
  case hand::link_down:
  case hand::bridge_down:
    change.up = false;
    done = world.change_link(
      "", x.by == hand::link_down ? endpoint.host_interface : network.interface,
      change);
    break;
  case hand::link_renamed:
    change.name = "renamed";
    done = world.change_link("", endpoint.host_interface, change);
    break;
  case hand::link_moved:
    done = world.move_link("", endpoint.host_interface, "/proc/7/ns/net");
    break;
  case hand::link_deleted:
    done = world.delete_link("", endpoint.host_interface);
    break;
  case hand::bridge_deleted:
    done = world.delete_link("", network.interface);
    break;
  case hand::inside_route:
    done = world.flush_routes(pin);
    break;
  case hand::inside_down:
    change.up = false;
    done = world.change_link(pin, endpoint.interface, change);
    break;
  case hand::wrong_neighbour: {
    auto who = netns::neighbour_info{};
    who.index = kernel->link_index(network.interface).value_or(0);
    who.address
      = ip(address_of(x.network, now_.find(x.sandbox, x.network)->address, v6));
    who.mac = mac_address::parse("02:00:00:00:00:cc").value();
    done = kernel->set_neighbour(who);
    break;
  }
  case hand::pin_unmounted:
    done = world.unmount_pin(pin);
    break;
  case hand::rules_flushed:
    done = world.flush_ruleset("");
    break;
  case hand::proxy_killed:
    host_.ports->kill_proxy();
    break;
  case hand::port_taken:
    host_.ports->kill_proxy();
    for (const auto* any : {"0.0.0.0", "::"})
      host_.ports->occupy(protocol::tcp, ip(any), 8080);
    break;
  case hand::forwarding_off:
    done = world.write_sysctl("", forwarding, "all", 0);
    break;
  case hand::bridge_forwarding_off:
    done = world.write_sysctl("", forwarding, network.interface, 0);
    break;
  default:
    break;
  }
  return done ? "" : done.error().message;
}

void sim_world::undo(const step& x) {
  auto kernel = netns::open_simulated_kernel(host_.world);
  auto forwarding
    = x.v6 ? netns::sysctl::ipv6_forwarding : netns::sysctl::ipv4_forwarding;
  auto bridge
    = answer<network_status>(host_.call(inspect_network{n(x.network)}))
        .interface;
  if (x.by == hand::forwarding_off)
    (void)kernel->set_sysctl(forwarding, "all", 1);
  if (x.by == hand::bridge_forwarding_off)
    (void)kernel->set_sysctl(forwarding, bridge, 1);
  if (x.by == hand::port_taken)
    for (const auto* any : {"0.0.0.0", "::"})
      host_.ports->vacate(protocol::tcp, ip(any), 8080);
}

} // namespace troupe::test::reach
