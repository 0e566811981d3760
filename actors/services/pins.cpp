#include "troupe/actors/services/pins.hpp"

#include "troupe/actors/api/log.hpp"
#include "troupe/config/model/id.hpp"
#include "troupe/drivers/inside/paths.hpp"

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
  if (wanted) {
    auto index = inside.link_index(wanted->interface);
    if (!index)
      return fail(std::move(index.error()));
    target = drivers::default_route_to(wanted->gateway, *index);
  }
  auto present = false;
  for (const auto& route : routes) {
    if (route.family != family || !drivers::is_our_default(route))
      continue;
    if (wanted && route == target) {
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

/// The namespace of a record that lives on without its pin. @returns nothing if
/// nobody has it any more.
std::optional<netns::namespace_ref>
find_again(netns::kernel& kernel, const sandbox_spec& spec) {
  const auto name = pin_name(spec.id);
  auto path = kernel.find_namespace(spec.netns_inode);
  if (!path)
    return std::nullopt;
  // Under another name first: what keeps it open goes with the old pin.
  const auto spare = name + ".again";
  auto found = kernel.adopt_namespace(spare, *path);
  if (!found)
    return std::nullopt;
  auto again = result<netns::namespace_ref>{};
  if (auto gone = unpin(kernel, name))
    again = kernel.adopt_namespace(name, found->path);
  (void)unpin(kernel, spare);
  if (!again || again->inode != spec.netns_inode)
    return std::nullopt;
  return *again;
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
  if (pin.inode != 0 && pin.inode == spec.netns_inode) {
    kernel.keep_namespace(pin_name(spec.id), pin);
    return {spec.id, pin, false, {}};
  }
  if (auto found = find_again(kernel, spec))
    return {spec.id, *found, false, {}, true};
  auto again = pin_again(kernel, spec);
  if (!again)
    return {spec.id, {}, false, again.error().message};
  return {spec.id, *again, true, {}};
}

/// Removes rules of endpoints that are not there any more.
result<void> tidy(netns::kernel& kernel, const netns::namespace_ref& pin) {
  auto inside = kernel.enter(pin);
  if (inside)
    return drivers::remove_stale_paths(**inside);
  return inside.error().code == ec::not_found ? result<void>{}
                                              : fail(std::move(inside.error()));
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

result<void> close_pin(netns::kernel& kernel, const close_namespace& msg) {
  if (!msg.shared.path.empty())
    if (auto done = tidy(kernel, msg.shared); !done)
      return done;
  return unpin(kernel, pin_name(msg.sandbox));
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
    // What a start that crashed has left: its links went first.
    if (wanted.remove_leftovers && !report.states.back().ns.path.empty())
      if (auto tidied = tidy(kernel, report.states.back().ns); !tidied)
        log().warn(
          "start: sandbox {}: {}; rules of endpoints that are gone may "
          "be left in it",
          spec.name, tidied.error().message);
    pins.erase(pin_name(spec.id));
  }
  report.leftovers = pins.size();
  if (wanted.remove_leftovers)
    for (const auto& [name, pin] : pins) {
      auto removed = tidy(kernel, pin);
      if (removed)
        removed = unpin(kernel, name);
      if (!removed)
        return fail(std::move(removed.error()));
    }
  return report;
}

} // namespace troupe
