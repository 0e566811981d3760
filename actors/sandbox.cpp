#include "troupe/actors/sandbox.hpp"

#include "troupe/actors/joined_endpoints.hpp"
#include "troupe/actors/turn_queue.hpp"
#include "troupe/drivers/registry.hpp"

#include <spdlog/spdlog.h>

#include <set>

namespace troupe {

struct sandbox_state;
using sandbox_pointer = sandbox_actor::stateful_pointer<sandbox_state>;

namespace {

/// What keeps a route from being set may be over after this time.
constexpr auto route_delay = std::chrono::milliseconds{500};

} // namespace

/// A join or a leave holds the sandbox's turn from its `reserve_…` to its
/// `finish_…`.
struct sandbox_state {
  static inline const char* name = "sandbox";

  explicit sandbox_state(sandbox_pointer selfptr) : self{selfptr} {
  }

  // -- create and remove ------------------------------------------------------

  void start(promise<sandbox_status> reply);
  void commit_start(promise<sandbox_status> reply);
  void fail_start(error why, bool uncommit, promise<sandbox_status> reply);
  void drop(promise<done> reply);
  void close_after_drop(promise<done> reply);
  void raze_adopted(std::function<void()> next);
  void announce_doomed();
  void dismiss_endpoints(promise<done> reply);

  // -- join and leave ---------------------------------------------------------

  void reserve(const joining_endpoint& who, promise<join_slot> reply);
  result<joined_endpoint> admit(const joining_endpoint& who) const;
  void finish_join_of(const finish_join& msg, promise<done> reply);
  void finish_leave_of(const finish_leave& msg, promise<done> reply);
  void apply_routes(std::function<void(result<void>)> next);
  void look_again_after(const char* step, const error& why);
  void cancel(const endpoint_id& id);

  // -- the rest ---------------------------------------------------------------

  void check(promise<mend_report> reply);
  void adopt_state(const namespace_state& found, mend_report& report);
  void check_members(mend_report report, promise<mend_report> reply);
  join_slot slot_of(const joined_endpoint& x) const;
  std::vector<drivers::endpoint_plan> plans() const;
  sandbox_status status() const;
  error gone_error() const;
  std::string title() const;
  void settle();

  template <class Reply>
  void take_turn(const endpoint_id& who, promise<Reply> reply,
                 std::function<void()> work);

  sandbox_pointer self;
  context_ptr context;
  sandbox_spec spec;
  netns::namespace_ref ns; ///< Empty path: the host's.
  joined_endpoints table;
  std::map<endpoint_id, joining_endpoint> members;
  turn_queue turns;
  endpoint_id holder;              ///< Whose join or leave has the turn.
  bool switched = false;           ///< The holder's join moved a default route.
  std::set<endpoint_id> cancelled; ///< Gave up while waiting for their turn.
  bool started = false;
  bool ended = false;
  std::string problem; ///< Why the namespace is lost.
  seen_time changed = {};
};

// -- turns --------------------------------------------------------------------

template <class Reply>
void sandbox_state::take_turn(const endpoint_id& who, promise<Reply> reply,
                              std::function<void()> work) {
  auto guarded = [this, who, reply, work = std::move(work)]() mutable {
    if (ended)
      reply.deliver(gone_error());
    else if (!who.empty() && cancelled.erase(who) > 0)
      reply.deliver(error{ec::timeout, title() + ": gave up waiting", "", 0});
    else {
      holder = who;
      return work();
    }
    turns.leave();
  };
  if (!turns.enter(std::move(guarded)))
    reply.deliver(
      error{ec::unavailable, title() + ": too many operations wait", "", 0});
}

void sandbox_state::settle() {
  holder = endpoint_id{};
  switched = false;
  changed = std::chrono::steady_clock::now();
  turns.leave();
}

error sandbox_state::gone_error() const {
  return {ec::not_found, title() + ": it was removed", "", 0};
}

std::string sandbox_state::title() const {
  return "sandbox " + quoted(spec.name);
}

// -- create -------------------------------------------------------------------

void sandbox_state::start(promise<sandbox_status> reply) {
  if (spec.use_host_namespace)
    return commit_start(reply);
  ask<opened_namespace>(
    self, context->namespaces, context->step_deadline(),
    open_namespace{spec.id, spec.netns_path},
    [=, this](opened_namespace& opened) {
      ns = std::move(opened.ns);
      spec.netns_inode = ns.inode;
      commit_start(reply);
    },
    [=, this](error why) {
      fail_start(std::move(why), false, reply);
    });
}

void sandbox_state::commit_start(promise<sandbox_status> reply) {
  ask<done>(
    self, context->store, context->step_deadline(), commit_changes{{spec}},
    [=, this](done&) mutable {
      started = true;
      publish(*context, "sandbox", "create", spec.id.value, spec.name);
      reply.deliver(status());
      settle();
    },
    [=, this](error why) {
      const auto unknown = why.code == ec::timeout;
      fail_start(std::move(why), unknown, reply);
    });
}

/// Takes back what was done, or may have been, and ends. A pin that was there
/// before is somebody else's.
void sandbox_state::fail_start(error why, bool uncommit,
                               promise<sandbox_status> reply) {
  auto finish = [=, this](auto&&) mutable {
    ended = true;
    reply.deliver(with_context(why, "create " + title()));
    settle();
    self->quit();
  };
  auto close = [=, this](auto&&) mutable {
    if (ns.path.empty() && why.code == ec::conflict)
      return finish(done{});
    ask<done>(self, context->namespaces, context->step_deadline(),
              close_namespace{spec.id}, finish, finish);
  };
  if (!uncommit)
    return close(done{});
  ask<done>(self, context->store, context->step_deadline(),
            commit_changes{{persistence::remove_sandbox_record{spec.id}}},
            close, close);
}

// -- remove -------------------------------------------------------------------

void sandbox_state::drop(promise<done> reply) {
  auto changes = std::vector<persistence::change>{};
  for (const auto& [id, who] : members) {
    changes.emplace_back(persistence::remove_join_record{id});
    if (who.endpoint->ephemeral)
      changes.emplace_back(persistence::remove_endpoint_record{id, true});
  }
  changes.emplace_back(persistence::remove_sandbox_record{spec.id});
  ask<done>(
    self, context->store, context->step_deadline(),
    commit_changes{std::move(changes)},
    [=, this](done&) {
      close_after_drop(reply);
    },
    [=, this](error why) mutable {
      reply.deliver(with_context(std::move(why), "remove " + title()));
      settle();
    });
}

/// The store has forgotten the sandbox: it is removed from here on. What the
/// kernel keeps is removed sooner or later by the driver and the namespaces.
void sandbox_state::close_after_drop(promise<done> reply) {
  ended = true;
  auto close = [=, this] {
    if (spec.use_host_namespace)
      return dismiss_endpoints(reply);
    ask<done>(
      self, context->namespaces, context->step_deadline(),
      close_namespace{spec.id},
      [=, this](done&) {
        dismiss_endpoints(reply);
      },
      [=, this](const error& why) {
        spdlog::warn("remove {}: {}; tried again later", title(), why.message);
        dismiss_endpoints(reply);
      });
  };
  if (spec.netns_path.empty() && !spec.use_host_namespace) {
    announce_doomed();
    return close();
  }
  raze_adopted(close);
}

/// The namespace of somebody else lives on: its links are removed one by one.
void sandbox_state::raze_adopted(std::function<void()> next) {
  auto missing = std::make_shared<size_t>(members.size());
  if (*missing == 0)
    return next();
  auto one_less = [missing, next](auto&&) {
    if (--*missing == 0)
      next();
  };
  for (const auto& x : table.all()) {
    const auto& who = members.at(x.id);
    ask<done>(self, who.driver, context->step_deadline(),
              raze_endpoint{{*who.network, *who.endpoint, slot_of(x).where}},
              one_less, one_less);
  }
}

/// A namespace of ours dies and takes its links along, unless a process keeps
/// it: the drivers look after that.
void sandbox_state::announce_doomed() {
  for (const auto& x : table.all()) {
    const auto& who = members.at(x.id);
    tell(who.driver,
         expect_gone{{{*who.network, *who.endpoint, slot_of(x).where}}});
  }
}

void sandbox_state::dismiss_endpoints(promise<done> reply) {
  auto handles = std::vector<endpoint_actor>{};
  for (const auto& [id, who] : members)
    handles.push_back(who.handle);
  members.clear();
  table = joined_endpoints{};
  ask_all<done>(self, handles, context->step_deadline(), sandbox_gone{spec.id},
                [=, this](std::vector<done>) mutable {
                  publish(*context, "sandbox", "remove", spec.id.value,
                          spec.name);
                  reply.deliver(done{});
                  settle();
                  self->quit();
                });
}

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
  spdlog::warn("{}: {}: {}; tried again later", title(), step, why.message);
  tell_after(sandbox_actor{self}, route_delay, check_sandbox{});
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
  if (spec.use_host_namespace)
    return check_members({}, reply);
  ask<reconciled_namespaces>(
    self, context->namespaces, context->step_deadline(),
    reconcile_namespaces{{spec}, false},
    [=, this](reconciled_namespaces& found) {
      auto report = mend_report{};
      adopt_state(found.states.front(), report);
      if (problem.empty())
        return check_members(std::move(report), reply);
      auto lost = reply;
      lost.deliver(std::move(report));
      settle();
    },
    [=, this](error why) mutable {
      reply.deliver(std::move(why));
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
  if (!found.remade)
    return;
  ns = found.ns;
  spec.netns_inode = ns.inode;
  report.differences.push_back(title() + ": namespace was gone");
  publish(*context, "sandbox", "repair", spec.id.value, spec.name,
          {{"reason", "its namespace was gone"}});
  tell(context->store, commit_changes{{spec}});
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
                           std::move(x.differences.begin(), x.differences.end(),
                                     std::back_inserter(report.differences));
                         reply.deliver(std::move(report));
                         settle();
                       });
}

// -- queries ------------------------------------------------------------------

std::vector<drivers::endpoint_plan> sandbox_state::plans() const {
  auto result = std::vector<drivers::endpoint_plan>{};
  for (const auto& x : table.all()) {
    const auto& who = members.at(x.id);
    result.push_back({*who.network, *who.endpoint, slot_of(x).where});
  }
  return result;
}

sandbox_status sandbox_state::status() const {
  auto result = sandbox_status{spec, ns.path, {}, {}, {}, "ready"};
  for (const auto& x : table.all())
    if (x.id != holder)
      result.endpoints.push_back(x.id);
  if (const auto* v4 = table.gateway(ip_family::v4))
    result.gateway = v4->id;
  if (const auto* v6 = table.gateway(ip_family::v6))
    result.gateway_v6 = v6->id;
  if (!problem.empty())
    result.state = "lost: " + problem;
  return result;
}

// -- the behaviour ------------------------------------------------------------

sandbox_actor::behavior_type
sandbox(sandbox_actor::stateful_pointer<sandbox_state> self,
        context_ptr context, sandbox_origin origin) {
  auto& state = state_of(self);
  state.spec = std::move(origin.spec);
  state.ns = std::move(origin.ns);
  state.turns = turn_queue{static_cast<size_t>(context->how.max_queue)};
  state.started = !state.ns.path.empty();
  state.context = std::move(context);
  return {
    [&state](const start_sandbox&) -> caf::result<sandbox_status> {
      auto reply = promise<sandbox_status>{state.self};
      state.take_turn({}, reply, [=, &state] {
        state.start(reply);
      });
      return reply;
    },
    [&state](const get_sandbox&) -> caf::result<sandbox_status> {
      if (state.ended)
        return to_caf(state.gone_error());
      return state.status();
    },
    [&state](const drop_sandbox&) -> caf::result<done> {
      auto reply = promise<done>{state.self};
      state.take_turn({}, reply, [=, &state] {
        state.drop(reply);
      });
      return reply;
    },
    [&state](const reserve_join& msg) -> caf::result<join_slot> {
      auto reply = promise<join_slot>{state.self};
      state.take_turn(msg.who.endpoint->id, reply, [=, &state, who = msg.who] {
        state.reserve(who, reply);
      });
      return reply;
    },
    [&state](const restore_join& msg) -> caf::result<join_slot> {
      auto facts = describe_join(*msg.who.network, *msg.who.endpoint);
      facts.interface = msg.interface;
      state.table.add(facts);
      state.members.emplace(facts.id, msg.who);
      return state.slot_of(facts);
    },
    [&state](const locate_endpoint& msg) -> caf::result<join_slot> {
      if (const auto* x = state.table.find(msg.endpoint))
        return state.slot_of(*x);
      return to_caf(error{ec::not_found,
                          state.title() + ": the endpoint is not here", "", 0});
    },
    [&state](const list_plans&) -> caf::result<endpoint_plans> {
      return endpoint_plans{state.plans()};
    },
    [&state](const switch_gateway& msg) -> caf::result<done> {
      auto reply = promise<done>{state.self};
      if (state.holder != msg.endpoint) {
        reply.deliver(state.gone_error());
        return reply;
      }
      state.switched = true;
      state.apply_routes([=](result<void> routed) mutable {
        if (routed)
          reply.deliver(done{});
        else
          reply.deliver(std::move(routed.error()));
      });
      return reply;
    },
    [&state](const finish_join& msg) -> caf::result<done> {
      auto reply = promise<done>{state.self};
      state.finish_join_of(msg, reply);
      return reply;
    },
    [&state](const reserve_leave& msg) -> caf::result<done> {
      auto reply = promise<done>{state.self};
      state.take_turn(msg.endpoint, reply, [=, &state]() mutable {
        if (state.table.find(msg.endpoint) != nullptr)
          return reply.deliver(done{});
        reply.deliver(error{
          ec::not_found, state.title() + ": the endpoint is not here", "", 0});
        state.settle();
      });
      return reply;
    },
    [&state](const finish_leave& msg) -> caf::result<done> {
      auto reply = promise<done>{state.self};
      state.finish_leave_of(msg, reply);
      return reply;
    },
    [&state](const part_from& msg) -> caf::result<done> {
      const auto* x = state.table.find(msg.network);
      if (x == nullptr || x->id == state.holder)
        return to_caf(error{
          ec::not_found,
          "detach " + state.title() + ": it is not on this network", "", 0});
      return state.self->delegate(state.members.at(x->id).handle,
                                  part_endpoint{});
    },
    [&state](const check_sandbox& msg) -> caf::result<mend_report> {
      auto reply = promise<mend_report>{state.self};
      if (state.turns.busy() || msg.seen <= state.changed + own_change_grace) {
        reply.deliver(mend_report{});
        return reply;
      }
      state.take_turn({}, reply, [=, &state] {
        state.check(reply);
      });
      return reply;
    },
  };
}

sandbox_actor spawn_sandbox(caf::actor_system& system, context_ptr context,
                            sandbox_origin origin) {
  return system.spawn(sandbox, std::move(context), std::move(origin));
}

} // namespace troupe
