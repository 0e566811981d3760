#include "troupe/actors/objects/sandbox.hpp"

#include "troupe/actors/objects/sandbox_state.hpp"

namespace troupe {

// -- turns --------------------------------------------------------------------

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
  if (rebuilt)
    result.state = "rebuilt: its namespace was lost; processes that were in it "
                   "have no network";
  if (!problem.empty())
    result.state = "lost: " + problem;
  return result;
}

// -- the behaviour ------------------------------------------------------------

sandbox_actor::behavior_type
sandbox_behavior(sandbox_actor::stateful_pointer<sandbox_state> self,
                 context_ptr context, sandbox_origin origin) {
  explain_exceptions(self);
  auto& state = state_of(self);
  state.spec = std::move(origin.spec);
  state.ns = std::move(origin.ns);
  state.unrecorded = origin.remade;
  state.rebuilt = origin.remade;
  state.turns = turn_queue{static_cast<size_t>(context->how.max_queue)};
  state.context = std::move(context);
  return {
    [&state](const start_sandbox&) -> caf::result<sandbox_status> {
      auto reply = promise<sandbox_status>{state.self};
      state.starting = true;
      state.take_turn({}, reply, [=, &state] {
        state.start(reply);
      });
      return reply;
    },
    [&state](const get_sandbox&) -> caf::result<sandbox_status> {
      if (state.ended)
        return to_caf(state.gone_error());
      if (state.starting)
        return to_caf(error{ec::unavailable,
                            state.title() + ": it is being created", "", 0});
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
      if (msg.again)
        state.checks.begin();
      if (state.turns.busy() || msg.seen <= state.changed + own_change_grace) {
        reply.deliver(mend_report{});
        state.missed = true;
        // The operation may leave what the last comparison could not mend.
        if (msg.again && !state.ended)
          state.check_again();
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
  return system.spawn(sandbox_behavior, std::move(context), std::move(origin));
}

} // namespace troupe
