#include "troupe/actors/pins.hpp"

#include "troupe/actors/log.hpp"
#include "troupe/config/model/id.hpp"

#include <algorithm>
#include <map>

namespace troupe {

namespace {

using pin_map = std::map<std::string, netns::namespace_ref>;

result<void>
replace_default_route(netns::kernel& inside, ip_family family,
                      const std::optional<default_route>& wanted,
                      const std::vector<netns::route_info>& routes) {
  auto target = netns::route_info{};
  target.family = family;
  if (wanted) {
    auto index = inside.link_index(wanted->interface);
    if (!index)
      return fail(std::move(index.error()));
    target.gateway = wanted->gateway;
    target.index = *index;
  }
  auto present = false;
  for (const auto& route : routes) {
    if (route.family != family || route.destination)
      continue;
    if (wanted && route.gateway == target.gateway
        && route.index == target.index) {
      present = true;
      continue;
    }
    if (auto gone = inside.del_route(route);
        !gone && gone.error().code != ec::not_found)
      return gone;
  }
  return present || !wanted ? result<void>{} : inside.add_route(target);
}

netns::namespace_ref pin_of(const pin_map& pins, const sandbox_id& id) {
  auto found = pins.find(pin_name(id));
  return found == pins.end() ? netns::namespace_ref{} : found->second;
}

/// Pins the namespace of a record again after its pin was lost.
result<netns::namespace_ref>
pin_again(netns::kernel& kernel, const sandbox_spec& spec) {
  if (auto gone = unpin(kernel, pin_name(spec.id)); !gone)
    return fail(std::move(gone.error()));
  if (spec.netns_path.empty())
    return kernel.create_namespace(pin_name(spec.id));
  auto adopted = kernel.adopt_namespace(pin_name(spec.id), spec.netns_path);
  if (!adopted || adopted->inode == spec.netns_inode)
    return adopted;
  (void)unpin(kernel, pin_name(spec.id));
  return fail(ec::not_found, "adopt namespace " + quoted(spec.netns_path)
                               + ": it is another namespace than before");
}

namespace_state state_of_sandbox(netns::kernel& kernel, const pin_map& pins,
                                 const sandbox_spec& spec) {
  const auto pin = pin_of(pins, spec.id);
  if (pin.inode != 0 && pin.inode == spec.netns_inode)
    return {spec.id, pin, false, {}};
  auto again = pin_again(kernel, spec);
  if (!again)
    return {spec.id, {}, false, again.error().message};
  return {spec.id, *again, true, {}};
}

} // namespace

std::string pin_name(const sandbox_id& id) {
  return id.brief();
}

result<netns::namespace_ref>
adopt(netns::kernel& kernel, const std::string& name, const std::string& path) {
  auto ns = kernel.adopt_namespace(name, path);
  if (!ns)
    return ns;
  auto refuse = [&](error why) -> result<netns::namespace_ref> {
    if (auto removed = unpin(kernel, name); !removed)
      log().warn("adopt namespace {}: {}", quoted(path),
                 removed.error().message);
    return fail(std::move(why));
  };
  auto pins = kernel.namespaces();
  if (!pins)
    return refuse(std::move(pins.error()));
  for (const auto& [other, there] : *pins)
    if (other != name && there.inode == ns->inode)
      return refuse({ec::conflict,
                     "adopt namespace " + quoted(path) + ": sandbox " + other
                       + " has it already",
                     "use that sandbox, or remove it", 0});
  return ns;
}

result<void> unpin(netns::kernel& kernel, const std::string& name) {
  auto removed = kernel.remove_namespace(name);
  if (!removed && removed.error().code == ec::not_found)
    return {};
  return removed;
}

result<void>
replace_default_routes(netns::kernel& host, const set_default_routes& wanted) {
  auto inside = host.enter(wanted.ns);
  if (!inside)
    return fail(std::move(inside.error()));
  auto routes = (*inside)->routes();
  if (!routes)
    return fail(std::move(routes.error()));
  auto replaced
    = replace_default_route(**inside, ip_family::v4, wanted.v4, *routes);
  if (!replaced)
    return replaced;
  return replace_default_route(**inside, ip_family::v6, wanted.v6, *routes);
}

result<reconciled_namespaces>
reconcile_pins(netns::kernel& kernel, const reconcile_namespaces& wanted) {
  if (!wanted.known.path.empty() && kernel.enter(wanted.known))
    return reconciled_namespaces{
      {{wanted.wanted.front().id, wanted.known, false, {}}}, 0};
  auto listed = kernel.namespaces();
  if (!listed)
    return fail(std::move(listed.error()));
  auto pins = pin_map{listed->begin(), listed->end()};
  auto report = reconciled_namespaces{};
  for (const auto& spec : wanted.wanted) {
    if (spec.use_host_namespace)
      report.states.push_back({spec.id, {}, false, {}});
    else
      report.states.push_back(state_of_sandbox(kernel, pins, spec));
    pins.erase(pin_name(spec.id));
  }
  report.leftovers = pins.size();
  if (wanted.remove_leftovers)
    for (const auto& [name, pin] : pins)
      if (auto removed = unpin(kernel, name); !removed)
        return fail(std::move(removed.error()));
  return report;
}

} // namespace troupe
