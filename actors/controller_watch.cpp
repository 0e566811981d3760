#include "troupe/actors/controller_state.hpp"
#include "troupe/actors/pins.hpp"
#include "troupe/config/version.hpp"
#include "troupe/drivers/registry.hpp"

#include <algorithm>

namespace troupe {

namespace {

using kind = netns::kernel_event::kind;

/// Everything is compared once in this many seconds, a slice each second, so
/// that a change the events did not show is found as well.
constexpr size_t audit_rounds = 30;

/// As the bridge driver names bridges and the host ends of endpoints.
bool has_generated_name(const std::string& link) {
  return link.starts_with("br-") || link.starts_with("trp");
}

std::string file_name(const std::string& path) {
  return path.substr(path.find_last_of('/') + 1);
}

} // namespace

void controller_state::look_at(const kernel_events& msg) {
  if (!ready)
    return;
  for (const auto& x : msg.events)
    look_at(x);
}

/// Passes one event to the objects it may concern; they know what they did
/// themselves.
void controller_state::look_at(const seen_event& x) {
  if (x.what.what == kind::firewall_changed) {
    tell(context->firewall, check_firewall{true, true});
    return;
  }
  if (x.what.what == kind::settings_changed
      && !has_generated_name(x.what.link_name))
    tell(context->firewall, check_firewall{.elements = false});
  if (x.what.what == kind::settings_changed && x.what.link_name.empty())
    return;
  if (x.what.what == kind::overflow) {
    tell(context->firewall, check_firewall{});
    for (const auto& handle : objects.network_handles())
      tell(handle, check_network{});
    for (const auto& handle : objects.sandbox_handles())
      tell(handle, check_sandbox{});
    return;
  }
  if (!x.what.namespace_path.empty()) {
    const auto pin = file_name(x.what.namespace_path);
    for (const auto& [id, sandbox] : objects.sandboxes())
      if (pin_name(id) == pin)
        tell(sandbox.handle, check_sandbox{x.seen});
    return;
  }
  if (x.what.what == kind::namespaces_changed) {
    for (const auto& handle : objects.sandbox_handles())
      tell(handle, check_sandbox{x.seen});
    return;
  }
  // A link of the host: a network's own, an endpoint's end, or one of ours
  // that was renamed and now says neither.
  const auto renamed = x.what.group == context->owner.link_group()
                       && !has_generated_name(x.what.link_name);
  for (const auto& [id, network] : objects.networks()) {
    tell(network.handle, check_network{x.seen, x.what.link_name});
    tell(network.handle,
         check_endpoints{renamed ? "" : x.what.link_name, x.seen});
  }
}

void controller_state::audit_slice() {
  tell_after(controller_actor{self}, std::chrono::seconds{1}, audit_tick{});
  tell(context->firewall, check_proxy{});
  if (++audit_ticks % audit_rounds == 0)
    tell(context->firewall, check_firewall{});
  auto sandboxes = objects.sandbox_handles();
  auto networks = objects.network_handles();
  const auto total = sandboxes.size() + networks.size();
  const auto slice = (total + audit_rounds - 1) / audit_rounds;
  for (size_t i = 0; i < slice; ++i, ++audit_position) {
    const auto position = audit_position % total;
    if (position < networks.size())
      tell(networks[position], check_network{});
    else
      tell(sandboxes[position - networks.size()], check_sandbox{});
  }
}

void controller_state::status(promise<daemon_status> reply) {
  auto result = daemon_status{};
  result.version = version;
  result.state_dir = context->how.state_dir;
  result.run_dir = context->how.run_dir;
  result.generation = generation;
  result.networks = objects.networks().size();
  result.sandboxes = objects.sandboxes().size();
  for (auto driver_name : drivers::names())
    result.drivers.emplace_back(driver_name);
  result.startup = steps;
  result.warnings = warnings;
  ask_all<network_status>(
    self, objects.network_handles(), context->step_deadline(), get_network{},
    [=, this](std::vector<network_status> found) mutable {
      for (const auto& x : found) {
        result.endpoints += x.endpoints.size();
        if (x.state != "ready")
          result.warnings.push_back("network " + x.spec.name + ": " + x.state);
      }
      auto specs = persistence::snapshot{};
      for (auto& x : found)
        specs.networks.push_back(std::move(x.spec));
      add_firewall_notes(std::move(result), promises_of(specs, context->owner),
                         reply);
    });
}

void controller_state::add_firewall_notes(
  daemon_status result, std::vector<netns::promised_network> networks,
  promise<daemon_status> reply) {
  ask<firewall_notes>(
    self, context->firewall, context->step_deadline(), get_firewall_notes{},
    [=](firewall_notes& notes) mutable {
      std::move(notes.warnings.begin(), notes.warnings.end(),
                std::back_inserter(result.warnings));
      add_obstructions(std::move(result), networks, reply);
    },
    [=](const error& why) mutable {
      result.warnings.push_back("firewall: " + why.message);
      add_obstructions(std::move(result), networks, reply);
    });
}

/// What others do on the host; what is ours is mended by the time it is read.
void controller_state::add_obstructions(
  daemon_status result, std::vector<netns::promised_network> networks,
  promise<daemon_status> reply) {
  ask<seen_obstructions>(
    self, context->namespaces, context->step_deadline(),
    audit_obstructions{std::move(networks)},
    [=](const seen_obstructions& seen) mutable {
      for (const auto& x : seen.found)
        if (x.whose == netns::obstruction::owner::others)
          result.warnings.push_back(x.object + ": " + x.problem
                                    + "; run: " + x.command);
      reply.deliver(std::move(result));
    },
    [=](const error& why) mutable {
      result.warnings.push_back("read the host: " + why.message);
      reply.deliver(std::move(result));
    });
}

/// Networks stay up: only actors end. The store answers a last request, so
/// everything queued before is written.
void controller_state::shut_down(promise<done> reply) {
  ready = false;
  const auto stop = [](const auto& handle) {
    caf::anon_send_exit(handle, caf::exit_reason::user_shutdown);
  };
  auto finish = [=, this](auto&&) mutable {
    if (watcher)
      stop(watcher);
    for (const auto& handle : objects.sandbox_handles())
      stop(handle);
    for (const auto& handle : objects.network_handles())
      stop(handle);
    for (const auto& [driver_name, handle] : drivers)
      stop(handle);
    stop(context->namespaces);
    stop(context->ipam);
    stop(context->events);
    stop(context->firewall);
    stop(context->store);
    watcher = watcher_actor{};
    drivers.clear();
    objects = directory{};
    reply.deliver(done{});
  };
  auto flush_store_then = [=, this](std::vector<done>) mutable {
    ask<done>(self, context->store, context->step_deadline(), commit_changes{},
              finish, finish);
  };
  ask_all<done>(self, objects.network_handles(), context->step_deadline(),
                stop_network{}, flush_store_then);
}

} // namespace troupe
