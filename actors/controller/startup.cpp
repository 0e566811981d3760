#include "troupe/actors/api/log.hpp"
#include "troupe/actors/controller/state.hpp"
#include "troupe/actors/core/count_down.hpp"
#include "troupe/actors/objects/network.hpp"
#include "troupe/actors/objects/sandbox.hpp"
#include "troupe/actors/services/watcher.hpp"
#include "troupe/drivers/registry.hpp"

#include <algorithm>
#include <iterator>
#include <map>

namespace troupe {

void controller_state::end_step(std::string step_name, std::string detail) {
  const auto now = std::chrono::steady_clock::now();
  const auto took
    = std::chrono::duration_cast<std::chrono::microseconds>(now - step_began);
  log().info("start: {} in {:.1f} ms{}{}", step_name,
             static_cast<double>(took.count()) / 1'000,
             detail.empty() ? "" : ": ", detail);
  steps.push_back({std::move(step_name), took.count(), std::move(detail)});
  step_began = now;
}

void controller_state::start_up(promise<done> reply) {
  step_began = std::chrono::steady_clock::now();
  ask<loaded_records>(
    self, context->store, context->operation_deadline(), load_records{},
    [=, this](loaded_records& loaded) {
      rebuild(loaded, reply);
    },
    [=](error why) mutable {
      reply.deliver(with_context(std::move(why), "start"));
    });
}

void controller_state::rebuild(loaded_records& loaded, promise<done> reply) {
  origin = std::move(loaded.origin);
  generation = origin.generation;
  remove_leftovers
    = may_remove_leftovers(origin, context->how.remove_leftovers);
  for (const auto& file : origin.quarantined)
    warnings.push_back("a damaged store was set aside as " + file);
  if (origin.suspicious)
    warnings.push_back(*origin.suspicious);
  std::ranges::move(loaded.records.problems, std::back_inserter(warnings));
  plan = plan_rebuild(std::move(loaded.records));
  std::ranges::move(plan.problems, std::back_inserter(warnings));
  end_step("loaded", std::to_string(plan.networks.size()) + " networks, "
                       + std::to_string(plan.sandboxes.size()) + " sandboxes, "
                       + std::to_string(plan.joins.size()) + " joins");
  for (const auto& warning : warnings)
    log().warn("start: {}", warning);
  auto next = [=, this](auto&&) {
    remake_namespaces(reply);
  };
  // What refers to lost records must outlive a start that refuses to go on:
  // somebody will bring the records back.
  if (plan.orphans.empty() || !remove_leftovers)
    return next(done{});
  log().warn("start: {} records refer to objects that are gone; removed",
             plan.orphans.size());
  ask<done>(self, context->store, context->step_deadline(),
            commit_changes{plan.orphans}, next, next);
}

void controller_state::remake_namespaces(promise<done> reply) {
  ask<reconciled_namespaces>(
    self, context->namespaces, context->operation_deadline(),
    reconcile_namespaces{plan.sandboxes, remove_leftovers},
    [=, this](reconciled_namespaces& pins) {
      leftovers += pins.leftovers;
      spawn_objects(pins);
      commit_pins(pins);
      claim_subnets_again(0, reply);
    },
    [=](error why) mutable {
      reply.deliver(with_context(std::move(why), "start"));
    });
}

/// Records of sandboxes whose namespace was made anew.
void controller_state::commit_pins(const reconciled_namespaces& pins) {
  auto changes = std::vector<persistence::change>{};
  for (size_t i = 0; i < pins.states.size(); ++i) {
    if (!pins.states[i].remade)
      continue;
    auto spec = plan.sandboxes[i];
    spec.netns_inode = pins.states[i].ns.inode;
    changes.emplace_back(std::move(spec));
  }
  if (!changes.empty())
    tell(context->store, commit_changes{std::move(changes)});
}

void controller_state::spawn_objects(const reconciled_namespaces& pins) {
  auto& system = self->system();
  for (size_t i = 0; i < pins.states.size(); ++i) {
    auto spec = plan.sandboxes[i];
    const auto& pin = pins.states[i];
    if (!pin.problem.empty())
      warnings.push_back("sandbox " + spec.name + ": " + pin.problem);
    if (pin.remade)
      spec.netns_inode = pin.ns.inode;
    auto handle = spawn_sandbox(system, context, {spec, pin.ns, pin.remade});
    supervise(handle, context, "sandbox " + quoted(spec.name));
    objects.add(spec.id, spec.name, std::move(handle));
  }
  for (const auto& spec : plan.networks) {
    auto handle = spawn_network(
      system, context,
      {spec, driver_of(spec.driver), false, plan.endpoints[spec.id]});
    supervise(handle, context, "network " + quoted(spec.name));
    objects.add(std::make_shared<const network_spec>(spec), std::move(handle));
  }
}

/// One network after the other, so that the first of two that overlap (a
/// damaged store) keeps its subnet.
void controller_state::claim_subnets_again(size_t next, promise<done> reply) {
  if (next == plan.networks.size())
    return rejoin_endpoints(0, reply);
  const auto& handle = objects.networks().at(plan.networks[next].id).handle;
  ask<done>(
    self, handle, context->step_deadline(), restore_network{},
    [=, this](done&) {
      claim_subnets_again(next + 1, reply);
    },
    [=, this](const error& why) {
      warnings.push_back(why.message);
      claim_subnets_again(next + 1, reply);
    });
}

void controller_state::rejoin_endpoints(size_t next, promise<done> reply) {
  if (next == plan.joins.size()) {
    end_step("rebuilt", std::to_string(objects.networks().size())
                          + " networks, " + std::to_string(plan.joins.size())
                          + " endpoints");
    return collect_plans(reply);
  }
  const auto& join = plan.joins[next]; // Leads to objects that are there.
  const auto go_on = [=, this] {
    rejoin_endpoints(next + 1, reply);
  };
  const auto warn = [=, this](const error& why) {
    warnings.push_back(why.message);
    go_on();
  };
  ask<found_endpoints>(
    self, objects.networks().at(join.network).handle, context->step_deadline(),
    find_endpoint{join.endpoint.value},
    [=, this](found_endpoints& found) {
      const auto& record = plan.joins[next];
      if (found.all.empty() || found.all.front().match.rank != match_rank::id)
        return warn({ec::internal,
                     "join of endpoint " + record.endpoint.brief()
                       + ": its network does not have it",
                     "", 0});
      ask<done>(
        self, found.all.front().handle, context->step_deadline(),
        rejoin{objects.sandboxes().at(record.sandbox).handle, record.interface,
               record.bindings},
        [=](done&) {
          go_on();
        },
        warn);
    },
    warn);
}

void controller_state::collect_plans(promise<done> reply) {
  // Before rules are loaded and anything is compared, so that no change falls
  // between the two.
  start_watcher();
  ask_all<endpoint_plans>(
    self, objects.sandbox_handles(), context->operation_deadline(),
    list_plans{}, [=, this](std::vector<endpoint_plans> found) {
      auto plans = std::vector<drivers::endpoint_plan>{};
      for (auto& x : found)
        std::move(x.plans.begin(), x.plans.end(), std::back_inserter(plans));
      reconcile_drivers(std::move(plans), reply);
    });
}

/// What an earlier run has left is in force until this one transaction replaces
/// it. Not by a store that knows less than the kernel.
void controller_state::restore_rules(std::vector<drivers::endpoint_plan> plans,
                                     promise<done> reply) {
  auto bindings = std::map<endpoint_id, std::vector<port_binding>>{};
  for (const auto& x : plan.joins)
    bindings[x.endpoint] = x.bindings;
  auto wanted = restore_firewall{plan.networks, {}, plan.forwarding};
  for (const auto& x : plans)
    if (drivers::is_known(x.network.driver))
      wanted.endpoints.push_back(
        {x.network, x.endpoint, {}, false, {}, bindings[x.endpoint.id]});
  ask<restored_firewall>(
    self, context->firewall, context->operation_deadline(), std::move(wanted),
    [=, this](restored_firewall& restored) {
      for (auto& problem : restored.problems)
        warnings.push_back(std::move(problem));
      end_step("protected", std::to_string(plans.size()) + " endpoints");
      be_ready(reply);
    },
    [=, this](const error& why) {
      warnings.push_back("firewall: " + why.message);
      be_ready(reply);
    });
}

void controller_state::reconcile_drivers(
  std::vector<drivers::endpoint_plan> plans, promise<done> reply) {
  auto findings = std::make_shared<size_t>(0);
  auto one_less = count_down{
    drivers.size(), [=, this] {
      reconciled = std::chrono::steady_clock::now();
      end_step("reconciled", std::to_string(*findings) + " objects mended, "
                               + std::to_string(leftovers) + " leftovers");
      if (remove_leftovers || leftovers == 0)
        return restore_rules(plans, reply);
      auto refused = reply;
      refused.deliver(leftovers_error(origin, leftovers));
    }};
  for (const auto& [driver_name, handle] : drivers) {
    auto wanted = reconcile_driver{{}, {}, remove_leftovers, {}};
    for (const auto& network : plan.networks)
      if (drivers::served_by(network.driver) == driver_name)
        wanted.networks.push_back(network);
      else
        wanted.foreign.push_back(network.id.brief());
    for (const auto& x : plans)
      if (drivers::served_by(x.network.driver) == driver_name)
        wanted.plans.push_back(x);
      else
        wanted.foreign.push_back(x.endpoint.id.brief());
    ask<reconcile_report>(
      self, handle, context->operation_deadline(), std::move(wanted),
      [=, this](reconcile_report& report) {
        leftovers += report.leftovers;
        *findings += report.findings.size();
        for (const auto& x : report.findings)
          if (!x.repaired) {
            warnings.push_back(x.object + ": " + x.problem);
            unfinished = true;
          } else
            log().warn("start: {}: {}; repaired", x.object, x.problem);
        one_less();
      },
      [=, this, driver_name = driver_name](const error& why) {
        warnings.push_back("driver " + driver_name + ": " + why.message);
        unfinished = true;
        one_less();
      });
  }
}

void controller_state::start_watcher() {
  if (!context->parts.open_watch)
    return;
  watcher
    = spawn_watcher(self->system(), context, controller_actor{self}, watching);
  supervise(watcher, context, "the watcher");
}

void controller_state::be_ready(promise<done> reply) {
  plan = {};
  ready = true;
  look_at_early();
  compare_regularly();
  if (unfinished)
    tell_after(controller_actor{self}, std::chrono::seconds{1},
               run_later{[this] {
                 finish_cleaning();
               }});
  end_step("ready", {});
  probe_kernel();
  publish(*context, "daemon", "start", {}, {});
  reply.deliver(done{});
}

/// Nobody waits for it; what it finds is in the log and the status.
void controller_state::probe_kernel() {
  if (!context->parts.probe_kernel)
    return;
  const auto tell_about = [this](const result<netns::kernel_probe>& found) {
    if (!found)
      return log().warn("probe the kernel: {}", found.error().message);
    for (const auto& x : found->slower)
      log().info("this kernel has no {}", x);
    for (const auto& x : found->missing) {
      log().warn("this kernel has no {}", x);
      warnings.push_back("this kernel has no " + x);
    }
  };
  // With an argument: CAF 0.17 dereferences a null pointer for functions
  // without any.
  const auto probe
    = [probe = context->parts.probe_kernel, tell_about](
        caf::event_based_actor*, const controller_actor& controller) {
        tell(controller, run_later{[tell_about, found = probe()] {
               tell_about(found);
             }});
      };
  if (context->spawn_detached)
    self->system().spawn<caf::detached>(probe, controller_actor{self});
  else
    self->system().spawn(probe, controller_actor{self});
}

/// Removes what the kernel did not want to give up at start, and lets the
/// objects look for what they lack; they go on until they have it.
void controller_state::finish_cleaning() {
  compare_everything(seen_anyway);
  diagnose_then([this](result<diagnosis> found) {
    if (found && found->has_leftovers())
      sweep_leftovers(*found, [] {});
  });
}

} // namespace troupe
