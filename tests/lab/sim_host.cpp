#include "troupe/tests/lab/sim_host.hpp"

#include <vector>

namespace troupe::testing {

namespace {

using names = std::vector<std::string>;

/// Our links on the host.
names links_of(const simulated_system& system) {
  auto result = names{};
  const auto view = system.world->view();
  for (const auto& link : view.namespaces.front().links)
    if (link.info.group == system.owner().link_group())
      result.push_back(link.info.name);
  return result;
}

/// Pins of namespaces that are ours alone.
names pins_of(const simulated_system& system) {
  auto result = names{};
  const auto view = system.world->view();
  for (const auto& x : system.disk->content.sandboxes)
    if (x.netns_path.empty() && view.pins.contains(x.id.brief()))
      result.push_back(x.id.brief());
  return result;
}

bool is_inside(fault_kind what) {
  return what == fault_kind::host_unmount_pin
         || what == fault_kind::host_flush_routes
         || what == fault_kind::host_delete_inside;
}

} // namespace

std::string
interfere(simulated_system& system, fault_kind what, uint64_t salt) {
  auto& world = *system.world;
  if (what == fault_kind::host_flush_ruleset) {
    (void)world.flush_ruleset("");
    return "flush ruleset";
  }
  const auto victims = is_inside(what) ? pins_of(system) : links_of(system);
  if (victims.empty())
    return {};
  const auto& victim = victims[salt % victims.size()];
  auto change = netns::link_change{};
  switch (what) {
  case fault_kind::host_delete_link:
    (void)world.delete_link("", victim);
    return "delete " + victim;
  case fault_kind::host_set_down:
    change.up = false;
    (void)world.change_link("", victim, change);
    return "set down " + victim;
  case fault_kind::host_rename_link:
    change.name = "renamed" + std::to_string(salt % 1'000);
    (void)world.change_link("", victim, change);
    return "rename " + victim + " to " + *change.name;
  case fault_kind::host_flush_addresses:
    (void)world.flush_addresses("", victim);
    return "flush addresses of " + victim;
  case fault_kind::host_unmount_pin:
    (void)world.unmount_pin(victim);
    return "unmount " + victim;
  case fault_kind::host_flush_routes:
    (void)world.flush_routes(victim);
    return "flush routes in " + victim;
  case fault_kind::host_delete_inside:
    (void)world.delete_link(victim, "eth0");
    return "delete eth0 in " + victim;
  default:
    return {};
  }
}

} // namespace troupe::testing
