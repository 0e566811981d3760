#include "troupe/actors/api/log.hpp"
#include "troupe/actors/controller/state.hpp"
#include "troupe/actors/services/pins.hpp"
#include "troupe/config/version.hpp"
#include "troupe/drivers/registry.hpp"

#include <algorithm>

namespace troupe {

namespace {

using kind = netns::kernel_event::kind;

// The kernel says when it could not tell all events, and then everything is
// compared. The regular comparison is for what nobody thought of: it must not
// cost what a host that does nothing would notice.

/// Objects that events told about are compared once more after this time, so
/// many at once and then again after a pause.
constexpr auto touched_pause = std::chrono::seconds{10};
constexpr size_t touched_slice = 50;
constexpr auto touched_slice_pause = std::chrono::seconds{1};

/// So many objects are some hundred kilobytes.
constexpr size_t much_freed = 64;
constexpr auto trim_delay = std::chrono::seconds{3};

/// Events kept during start-up.
constexpr size_t most_early = 10'000;

/// With events: the host's links are listed this often.
constexpr auto calm_interval = std::chrono::seconds{30};

/// And everything is compared once in this many of these intervals, a slice in
/// each.
constexpr size_t calm_rounds = 120;

/// The firewall, which tells its changes itself, in this many.
constexpr size_t calm_firewall_rounds = 10;

/// Without events: everything is compared in this many seconds.
constexpr auto blind_interval = std::chrono::seconds{1};
constexpr size_t blind_rounds = 30;

/// As the bridge driver names bridges and the host ends of endpoints.
bool has_generated_name(const std::string& link) {
  return link.starts_with("br-") || link.starts_with("trp");
}

std::string file_name(const std::string& path) {
  return path.substr(path.find_last_of('/') + 1);
}

} // namespace

void controller_state::look_at(const kernel_events& msg) {
  if (ready)
    return look_at(msg.events);
  early.insert(early.end(), msg.events.begin(), msg.events.end());
  // Too many to keep are as good as lost.
  if (early.size() > most_early)
    early.assign(1, {netns::kernel_event{}, std::chrono::steady_clock::now()});
}

/// What came before start-up compared everything is mended by now. The firewall
/// has loaded its rules since then, but not looked at all it looks after, such
/// as the forwarding of uplinks.
void controller_state::look_at_early() {
  const auto rules_changed = std::ranges::any_of(early, [](const auto& x) {
    return x.what.what == kind::firewall_changed
           || x.what.what == kind::overflow;
  });
  tell(context->firewall,
       check_firewall{.changed = rules_changed, .elements = rules_changed});
  std::erase_if(early, [this](const auto& x) {
    return x.what.what == kind::firewall_changed
           || (x.what.what != kind::firewalld_started
               && x.seen <= reconciled + own_change_grace);
  });
  look_at(std::exchange(early, {}));
}

void controller_state::look_at(const std::vector<seen_event>& events) {
  for (const auto& x : events)
    look_at(x);
}

/// Passes one event to the objects it may concern; they know what they did
/// themselves.
void controller_state::look_at(const seen_event& x) {
  if (x.what.what == kind::firewall_changed) {
    tell(context->firewall, check_firewall{true, true});
    return;
  }
  if (x.what.what == kind::firewalld_started) {
    tell(context->firewall, check_firewall{true, false, false});
    return;
  }
  if (x.what.what == kind::settings_changed
      && !has_generated_name(x.what.link_name))
    tell(context->firewall, check_firewall{.elements = false});
  if (x.what.what == kind::settings_changed && x.what.link_name.empty())
    return;
  if (x.what.what == kind::overflow) {
    // One of the lost events may have been about the rules.
    tell(context->firewall, check_firewall{true, true});
    return compare_everything(seen_anyway);
  }
  if (!x.what.namespace_path.empty()) {
    const auto sandbox = objects.pinned_as(file_name(x.what.namespace_path));
    if (sandbox == objects.sandboxes().end())
      return;
    tell(sandbox->second.handle, check_sandbox{x.seen});
    touched_sandboxes.insert(sandbox->first);
    return compare_touched_later(touched_pause);
  }
  if (x.what.what == kind::namespaces_changed) {
    for (const auto& handle : objects.sandbox_handles())
      tell(handle, check_sandbox{x.seen});
    return;
  }
  const auto place = links.find(x.what);
  look_at_link(place, x.seen);
  // Which endpoint's address it was about is for the endpoints to say.
  if (x.what.what == kind::neighbour_changed)
    for (const auto& id : place.networks)
      if (auto network = objects.networks().find(id);
          network != objects.networks().end())
        tell(network->second.handle, check_endpoints{{}, x.seen});
  if (!place.networks.empty()) {
    touched_links.insert(place.link);
    return compare_touched_later(touched_pause);
  }
  // One of ours that was renamed before we knew its index says nothing.
  if (x.what.what == kind::link_changed
      && x.what.group == context->owner.link_group()
      && !has_generated_name(x.what.link_name))
    compare_everything(x.seen);
}

/// A link of the host is a network's own or an endpoint's end.
void controller_state::look_at_link(const link_index::place& place,
                                    seen_time seen) {
  for (const auto& id : place.networks)
    if (auto network = objects.networks().find(id);
        network != objects.networks().end()) {
      tell(network->second.handle, check_network{seen, place.link});
      tell(network->second.handle, check_endpoints{place.link, seen});
    }
}

void controller_state::compare_everything(seen_time seen) {
  for (const auto& handle : objects.network_handles())
    tell(handle, check_network{seen, {}});
  for (const auto& handle : objects.sandbox_handles())
    tell(handle, check_sandbox{seen});
}

// -- what an own operation may hide -------------------------------------------

/// A change of somebody else that comes with one of our own is taken for ours.
/// So what events told about is compared once more when all is quiet, unless it
/// is gone by then.
void controller_state::compare_touched_later(std::chrono::milliseconds pause) {
  if (std::exchange(touched_due, true))
    return;
  tell_after(controller_actor{self}, pause, run_later{[this] {
               touched_due = false;
               compare_touched();
             }});
}

/// Not all at once: others have work to do.
void controller_state::compare_touched() {
  if (!ready)
    return;
  for (size_t i = 0; i < touched_slice; ++i) {
    if (!touched_sandboxes.empty()) {
      auto x = touched_sandboxes.extract(touched_sandboxes.begin());
      if (auto found = objects.sandboxes().find(x.value());
          found != objects.sandboxes().end())
        tell(found->second.handle, check_sandbox{});
    } else if (!touched_links.empty()) {
      auto x = touched_links.extract(touched_links.begin());
      look_at_link({x.value(), links.owners_of(x.value())}, seen_anyway);
    }
  }
  if (!touched_sandboxes.empty() || !touched_links.empty())
    compare_touched_later(touched_slice_pause);
}

// -- the regular comparison ---------------------------------------------------

void controller_state::compare_regularly() {
  const auto sees_events = watching->is_watching();
  tell_after(controller_actor{self},
             sees_events ? calm_interval : blind_interval, audit_tick{});
  const auto firewall_rounds
    = sees_events ? calm_firewall_rounds : blind_rounds;
  // Start-up has compared everything.
  if (audit_ticks++ == 0)
    return;
  if (audit_ticks % firewall_rounds == 0)
    tell(context->firewall, check_firewall{});
  compare_slice(sees_events ? calm_rounds : blind_rounds);
  if (!sees_events)
    return;
  ask<host_links>(
    self, context->auditor, context->step_deadline(), list_host_links{},
    [this](host_links& found) {
      compare_links(found);
    },
    [](const error& why) {
      log().warn("list the links of the host: {}", why.message);
    });
}

void controller_state::compare_slice(size_t rounds) {
  auto sandboxes = objects.sandbox_handles();
  auto networks = objects.network_handles();
  const auto total = sandboxes.size() + networks.size();
  const auto slice = (total + rounds - 1) / rounds;
  for (size_t i = 0; i < slice; ++i, ++audit_position) {
    const auto position = audit_position % total;
    if (position < networks.size())
      tell(networks[position], check_network{});
    else
      tell(sandboxes[position - networks.size()], check_sandbox{});
  }
}

/// Finds links that changed without an event.
void controller_state::compare_links(const host_links& found) {
  for (const auto& place : links.compare(found.links))
    look_at_link(place, seen_anyway);
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
      add_sandbox_notes(std::move(result), promises_of(specs, context->owner),
                        reply);
    });
}

void controller_state::add_sandbox_notes(
  daemon_status result, std::vector<netns::promised_network> networks,
  promise<daemon_status> reply) {
  ask_all<sandbox_status>(
    self, objects.sandbox_handles(), context->step_deadline(), get_sandbox{},
    [=, this](std::vector<sandbox_status> found) mutable {
      for (const auto& x : found)
        if (x.state != "ready")
          result.warnings.push_back("sandbox " + x.spec.name + ": " + x.state);
      add_firewall_notes(std::move(result), std::move(networks), reply);
    });
}

void controller_state::add_firewall_notes(
  daemon_status result, std::vector<netns::promised_network> networks,
  promise<daemon_status> reply) {
  ask<firewall_notes>(
    self, context->firewall, context->step_deadline(), get_firewall_notes{},
    [=, this](firewall_notes& notes) mutable {
      std::move(notes.warnings.begin(), notes.warnings.end(),
                std::back_inserter(result.warnings));
      add_obstructions(std::move(result), networks, reply);
    },
    [=, this](const error& why) mutable {
      result.warnings.push_back("firewall: " + why.message);
      add_obstructions(std::move(result), networks, reply);
    });
}

/// What others do on the host; what is ours is mended by the time it is read.
void controller_state::add_obstructions(
  daemon_status result, std::vector<netns::promised_network> networks,
  promise<daemon_status> reply) {
  ask<seen_obstructions>(
    self, context->auditor, context->step_deadline(),
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
  auto finish = [=, this](auto&&) mutable {
    end_all();
    reply.deliver(done{});
  };
  auto flush_store_then = [=, this](std::vector<done>) mutable {
    ask<done>(self, context->store, context->step_deadline(), commit_changes{},
              finish, finish);
  };
  ask_all<done>(self, objects.network_handles(), context->step_deadline(),
                stop_network{}, flush_store_then);
}

done controller_state::claim(const claim_link& x) {
  links.claim(x.link, x.network);
  return {};
}

done controller_state::release(const release_link& x) {
  links.release(x.link, x.network);
  note_freed(1);
  return {};
}

/// The heap keeps what was freed. When that is much it goes back to the system,
/// but not in the middle of the work.
void controller_state::note_freed(size_t objects) {
  const auto before = freed;
  freed += objects;
  if (before >= much_freed || freed < much_freed)
    return;
  tell_after(controller_actor{self}, trim_delay, run_later{[this] {
               freed = 0;
               tell(context->auditor, trim_memory{});
             }});
}

void controller_state::end_all() {
  // From here on the context's handles are for others to let go of.
  if (std::exchange(ended, true) || !context)
    return;
  const auto stop = [](const auto& handle) {
    if (handle)
      caf::anon_send_exit(handle, caf::exit_reason::user_shutdown);
  };
  watching->turn_off();
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
  stop(context->auditor);
  stop(context->store);
  watcher = watcher_actor{};
  drivers.clear();
  objects = directory{};
}

} // namespace troupe
