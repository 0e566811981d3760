#include "troupe/tests/lab/invariants.hpp"

#include <algorithm>
#include <map>

namespace troupe::testing {

namespace {

/// Those that `simulated_system` furnishes its machine with.
constexpr std::string_view foreign_links[]
  = {"lo", "eth0", "docker0", "other0"};

/// Routes of ours that lead everywhere.
bool is_our_default(const netns::route_info& x) {
  return !x.destination && x.protocol == netns::made_by_troupe;
}

} // namespace

std::vector<std::string> check_routes(const simulated_system& system) {
  auto wrong = std::vector<std::string>{};
  for (const auto& ns : system.world->view().namespaces) {
    auto counts = std::map<ip_family, int>{};
    for (const auto& route : ns.routes)
      if (is_our_default(route) && ++counts[route.family] == 2)
        wrong.push_back("namespace " + ns.label + ": two default routes");
  }
  return wrong;
}

std::string foreign_things(const simulated_system& system) {
  auto text = std::string{};
  const auto view = system.world->view();
  for (const auto& link : view.namespaces.front().links) {
    const auto& info = link.info;
    if (!std::ranges::count(foreign_links, info.name))
      continue;
    text += info.name + (info.up ? " up " : " down ")
            + std::to_string(info.mtu_bytes) + " " + to_string(info.mac) + " "
            + info.alias;
    for (const auto& x : link.addresses)
      text += " " + to_string(x);
    text += "\n";
  }
  return text;
}

} // namespace troupe::testing
