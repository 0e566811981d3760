#include "troupe/actors/api/log.hpp"
#include "troupe/actors/objects/sandbox_state.hpp"
#include "troupe/drivers/registry.hpp"

#include <algorithm>
#include <utility>

namespace troupe {

// -- join ---------------------------------------------------------------------

result<joined_endpoint>
sandbox_state::admit(const joining_endpoint& who) const {
  const auto driver = drivers::make(who.network->driver, context->owner);
  if (driver->features().host_namespace != spec.use_host_namespace)
    return fail(ec::forbidden,
                title() + ": networks of driver " + quoted(who.network->driver)
                  + (spec.use_host_namespace
                       ? " cannot be joined from the host's namespace"
                       : " are for sandboxes in the host's namespace"),
                spec.use_host_namespace
                  ? ""
                  : "create the sandbox with --host-namespace");
  if (!problem.empty())
    return fail(ec::unavailable,
                title() + ": its namespace is lost: " + problem);
  auto candidate = describe_join(*who.network, *who.endpoint);
  const auto prefix = driver->interface_prefix(*who.network);
  if (prefix.empty())
    return candidate;
  auto interface = table.choose_interface(
    wanted_interface(who.endpoint->options), prefix);
  if (!interface)
    return fail(std::move(interface.error()));
  candidate.interface = std::move(*interface);
  return candidate;
}

void sandbox_state::reserve(const joining_endpoint& who,
                            promise<join_slot> reply) {
  auto candidate = admit(who);
  if (!candidate) {
    reply.deliver(std::move(candidate.error()));
    return settle();
  }
  const auto before_v4 = table.route(ip_family::v4);
  const auto before_v6 = table.route(ip_family::v6);
  table.add(*candidate);
  members.emplace(candidate->id, who);
  auto slot = slot_of(*candidate);
  // Where another endpoint has the default route, it moves in a step of its
  // own.
  slot.switches_gateway = (slot.where.default_route_v4 && before_v4)
                          || (slot.where.default_route_v6 && before_v6);
  slot.where.default_route_v4 = slot.where.default_route_v4 && !before_v4;
  slot.where.default_route_v6 = slot.where.default_route_v6 && !before_v6;
  reply.deliver(std::move(slot));
}

join_slot sandbox_state::slot_of(const joined_endpoint& x) const {
  auto slot = join_slot{};
  slot.where.ns = ns;
  slot.where.interface = x.interface;
  const auto* v4 = table.gateway(ip_family::v4);
  const auto* v6 = table.gateway(ip_family::v6);
  slot.where.default_route_v4 = v4 != nullptr && v4->id == x.id;
  slot.where.default_route_v6 = v6 != nullptr && v6->id == x.id;
  slot.sandbox_name = spec.name;
  slot.sandbox = spec.id;
  return slot;
}

void sandbox_state::apply_routes(std::function<void(result<void>)> next) {
  ask<done>(
    self, context->namespaces, context->step_deadline(),
    set_default_routes{ns, table.route(ip_family::v4),
                       table.route(ip_family::v6)},
    [next](done&) {
      next({});
    },
    [next](error why) {
      next(fail(std::move(why)));
    });
}

/// The operation is done but for its default route, which the comparison with
/// the kernel mends.
void sandbox_state::look_again_after(const char* step, const error& why) {
  log().warn("{}: {}: {}; tried again later", title(), step, why.message);
  check_again();
}

/// No event may come that tells when it can succeed.
void sandbox_state::check_again() {
  if (auto pause = checks.schedule())
    tell_after(sandbox_actor{self}, *pause, check_sandbox{.again = true});
}

/// Somebody ended a turn that never began, or that they gave up waiting for.
void sandbox_state::cancel(const endpoint_id& id) {
  if (turns.waiting() > 0)
    cancelled.insert(id);
}

void sandbox_state::finish_join_of(const finish_join& msg,
                                   promise<done> reply) {
  if (holder != msg.endpoint || ended) {
    cancel(msg.endpoint);
    reply.deliver(done{});
    return;
  }
  auto finish = [=, this](const result<void>& routed) mutable {
    if (!routed)
      look_again_after("move the default route back", routed.error());
    reply.deliver(done{});
    settle();
  };
  if (msg.joined)
    return finish({});
  table.remove(msg.endpoint);
  members.erase(msg.endpoint);
  if (!switched)
    return finish({});
  apply_routes(finish);
}

// -- leave --------------------------------------------------------------------

void sandbox_state::finish_leave_of(const finish_leave& msg,
                                    promise<done> reply) {
  if (holder != msg.endpoint || ended) {
    cancel(msg.endpoint);
    reply.deliver(done{});
    return;
  }
  auto finish = [=, this](const result<void>& routed) mutable {
    if (!routed)
      look_again_after("move the default route on", routed.error());
    reply.deliver(done{});
    settle();
  };
  if (!msg.left)
    return finish({});
  const auto before
    = std::pair{table.route(ip_family::v4), table.route(ip_family::v6)};
  table.remove(msg.endpoint);
  members.erase(msg.endpoint);
  const auto after
    = std::pair{table.route(ip_family::v4), table.route(ip_family::v6)};
  // The leaving interface took its own routes along.
  if (before == after || (!after.first && !after.second))
    return finish({});
  apply_routes(finish);
}

// -- check --------------------------------------------------------------------

void sandbox_state::check(promise<mend_report> reply) {
  missed = false;
  if (spec.use_host_namespace)
    return check_members({}, reply);
  ask<reconciled_namespaces>(
    self, context->namespaces, context->step_deadline(),
    reconcile_namespaces{{spec}, false, ns},
    [=, this](reconciled_namespaces& found) {
      auto report = mend_report{};
      adopt_state(found.states.front(), report);
      if (unrecorded)
        record_namespace();
      if (problem.empty())
        return check_members(std::move(report), reply);
      auto lost = reply;
      lost.deliver(std::move(report));
      check_again();
      settle();
    },
    [=, this](const error& why) mutable {
      reply.deliver(
        not_mended("sandbox " + spec.name + " (" + spec.id.brief() + ")", why));
      check_again();
      settle();
    });
}

void sandbox_state::adopt_state(const namespace_state& found,
                                mend_report& report) {
  if (problem != found.problem && !found.problem.empty())
    publish(*context, "sandbox", "lost", spec.id.value, spec.name,
            {{"reason", found.problem}});
  problem = found.problem;
  if (!problem.empty())
    report.differences.push_back(title() + ": namespace is lost: " + problem);
  if (found.pinned_again) {
    report.differences.push_back(title() + ": its pin was gone");
    publish(*context, "sandbox", "repair", spec.id.value, spec.name,
            {{"reason", "its pin was gone"}});
  }
  if (!found.remade)
    return;
  ns = found.ns;
  spec.netns_inode = ns.inode;
  report.differences.push_back(title() + ": namespace was gone");
  publish(*context, "sandbox", "repair", spec.id.value, spec.name,
          {{"reason", "its namespace was gone"}});
  unrecorded = true;
  rebuilt = true;
}

/// A record that names another namespace than the pin would make the next
/// start-up replace the namespace once more. On error the next check tries
/// again.
void sandbox_state::record_namespace() {
  ask<done>(
    self, context->store, context->step_deadline(), commit_changes{{spec}},
    [this](done&) {
      unrecorded = false;
    },
    [this](const error& why) {
      log().warn("{}: record its new namespace: {}; tried again later", title(),
                 why.message);
      check_again();
    });
}

void sandbox_state::check_members(mend_report report,
                                  promise<mend_report> reply) {
  auto handles = std::vector<endpoint_actor>{};
  for (const auto& [id, who] : members)
    handles.push_back(who.handle);
  ask_all<mend_report>(self, handles, context->operation_deadline(),
                       check_endpoint{},
                       [=, this](std::vector<mend_report> found) mutable {
                         for (auto& x : found)
                           append(report, std::move(x));
                         // Members that failed come back by themselves.
                         if (!unrecorded)
                           checks.reset();
                         if (std::exchange(missed, false))
                           check_again();
                         reply.deliver(std::move(report));
                         settle();
                       });
}

} // namespace troupe
