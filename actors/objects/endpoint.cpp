#include "troupe/actors/objects/endpoint.hpp"

#include "troupe/actors/api/log.hpp"
#include "troupe/actors/core/commit.hpp"
#include "troupe/actors/objects/endpoint_state.hpp"
#include "troupe/drivers/registry.hpp"

namespace troupe {

// -- turns --------------------------------------------------------------------

void endpoint_state::settle() {
  changed = std::chrono::steady_clock::now();
  release_turn();
}

void endpoint_state::release_turn() {
  turns.leave();
  if (quits_when_idle && !turns.busy())
    self->quit();
}

/// @pre an operation is in work: its turn ends, and those that wait are told
/// that the endpoint is gone.
void endpoint_state::end(const std::function<void()>& deliver) {
  ended = true;
  phase = "gone";
  // Before the reply: whoever asks the network next finds name and addresses
  // free.
  tell(owner, endpoint_gone{spec->id});
  deliver();
  quits_when_idle = true;
  settle();
}

error endpoint_state::gone_error() const {
  return {ec::not_found, title() + ": it was removed", "", 0};
}

std::string endpoint_state::title() const {
  return "endpoint " + quoted(network->name + "/" + spec->name);
}

// -- create -------------------------------------------------------------------

void endpoint_state::start(promise<endpoint_status> reply) {
  ask<done>(
    self, context->store, context->step_deadline(), commit_changes{{*spec}},
    [=, this](done&) mutable {
      starting = false;
      publish(*context, "endpoint", "create", spec->id.value, spec->name,
              {{"network", network->name}});
      reply.deliver(status());
      settle();
    },
    [=, this](error why) {
      fail_start(std::move(why), reply);
    });
}

/// A commit that may still come is taken back: else the record would outlive
/// the name and the addresses, which are free from here on.
void endpoint_state::fail_start(error why, promise<endpoint_status> reply) {
  auto finish = [=, this](auto&&) mutable {
    end([=]() mutable {
      reply.deliver(why);
    });
  };
  overrule_commit(
    self, context, why,
    commit_changes{{persistence::remove_endpoint_record{spec->id, false}}},
    finish);
}

// -- check --------------------------------------------------------------------

void endpoint_state::check(const check_endpoint& msg,
                           promise<mend_report> reply) {
  if (msg.again)
    checks.begin();
  if (!joined || turns.busy() || msg.seen <= changed + own_change_grace) {
    reply.deliver(mend_report{});
    missed |= looks;
    // The operation may leave what the last comparison could not mend.
    if (joined && msg.again)
      check_again();
    return;
  }
  take_turn(reply, [=, this] {
    looks = true;
    missed = false;
    auto failed = [=, this](const error& why) mutable {
      looks = false;
      log().warn("endpoint {}: mend it: {}", quoted(spec->name), why.message);
      publish(*context, "endpoint", "repair", spec->id.value, spec->name,
              {{"network", network->name}, {"failure", why.message}});
      reply.deliver(not_mended("endpoint " + network->name + "/" + spec->name
                                 + " (" + spec->id.brief() + ")",
                               why));
      check_again();
      release_turn();
    };
    ask<join_slot>(
      self, sandbox, context->step_deadline(), locate_endpoint{spec->id},
      [=, this](join_slot& given) {
        slot = std::move(given);
        ask<mend_report>(
          self, driver, context->step_deadline(), mend_endpoint{plan()},
          [=, this](mend_report& report) mutable {
            for (const auto& difference : report.differences)
              publish(*context, "endpoint", "repair", spec->id.value,
                      spec->name,
                      {{"network", network->name}, {"reason", difference}});
            // More may have changed while this was mended.
            looks = false;
            if (report.differences.empty() && !missed)
              checks.reset();
            else
              check_again();
            auto good = reply;
            good.deliver(std::move(report));
            release_turn();
          },
          failed);
      },
      failed);
  });
}

/// No event may come that tells when it can succeed.
void endpoint_state::check_again() {
  if (auto pause = checks.schedule())
    tell_after(endpoint_actor{self}, *pause, check_endpoint{.again = true});
}

endpoint_status endpoint_state::status() const {
  auto result = endpoint_status{};
  result.spec = *spec;
  result.network_name = network->name;
  result.state = phase;
  result.bindings = compressed(bindings);
  if (!joined)
    return result;
  result.sandbox = slot.sandbox;
  result.sandbox_name = slot.sandbox_name;
  result.interface = slot.where.interface;
  result.host_interface = host_interface;
  result.gateway = gateway_of(*network, ip_family::v4);
  result.gateway_v6 = gateway_of(*network, ip_family::v6);
  return result;
}

// -- the behaviour ------------------------------------------------------------

endpoint_actor::behavior_type
endpoint_behavior(endpoint_actor::stateful_pointer<endpoint_state> self,
                  context_ptr context, endpoint_origin origin) {
  explain_exceptions(self);
  auto& state = state_of(self);
  state.spec = std::make_shared<const endpoint_spec>(std::move(origin.spec));
  state.network = std::move(origin.network);
  state.owner = std::move(origin.owner);
  state.driver = std::move(origin.driver);
  state.turns = turn_queue{static_cast<size_t>(context->how.max_queue)};
  if (auto driver = drivers::make(state.network->driver, context->owner)) {
    state.host_interface = driver->host_interface(*state.spec);
    state.filtered = driver->features().uses_firewall;
  }
  state.context = std::move(context);
  return {
    [&state](const start_endpoint&) -> caf::result<endpoint_status> {
      auto reply = promise<endpoint_status>{state.self};
      state.starting = true;
      state.take_turn(reply, [=, &state] {
        state.start(reply);
      });
      return reply;
    },
    [&state](const enter_sandbox& msg) -> caf::result<endpoint_status> {
      auto reply = promise<endpoint_status>{state.self};
      state.take_turn(reply, [=, &state, into = msg.sandbox] {
        state.join(into, reply);
      });
      return reply;
    },
    [&state](const part_endpoint&) -> caf::result<done> {
      auto reply = promise<done>{state.self};
      state.take_turn(reply, [=, &state] {
        state.part(false, reply);
      });
      return reply;
    },
    [&state](const drop_endpoint& msg) -> caf::result<done> {
      auto reply = promise<done>{state.self};
      state.take_turn(reply, [=, &state] {
        state.drop(msg.force, reply);
      });
      return reply;
    },
    [&state](change_ports& msg) -> caf::result<endpoint_status> {
      auto reply = promise<endpoint_status>{state.self};
      state.take_turn(reply, [=, &state, msg = std::move(msg)] {
        state.change_ports(msg.ports, msg.publish, reply);
      });
      return reply;
    },
    [&state](const get_endpoint&) -> caf::result<endpoint_status> {
      if (state.ended)
        return to_caf(state.gone_error());
      if (state.starting)
        return to_caf(error{ec::unavailable,
                            state.title() + ": it is being created", "", 0});
      return state.status();
    },
    [&state](const rejoin& msg) -> caf::result<done> {
      auto reply = promise<done>{state.self};
      state.sandbox = msg.sandbox;
      state.bindings = msg.bindings;
      ask<join_slot>(
        state.self, msg.sandbox, state.context->step_deadline(),
        restore_join{
          {endpoint_actor{state.self}, state.driver, state.network, state.spec},
          msg.interface},
        [reply, &state](join_slot& slot) mutable {
          state.slot = std::move(slot);
          state.joined = true;
          state.phase = "joined";
          reply.deliver(done{});
        },
        [reply](error why) mutable {
          reply.deliver(std::move(why));
        });
      return reply;
    },
    [&state](const sandbox_gone&) -> caf::result<done> {
      auto reply = promise<done>{state.self};
      state.be_gone_with_sandbox(reply);
      return reply;
    },
    [&state](const check_endpoint& msg) -> caf::result<mend_report> {
      auto reply = promise<mend_report>{state.self};
      state.check(msg, reply);
      return reply;
    },
  };
}

endpoint_actor spawn_endpoint(caf::actor_system& system, context_ptr context,
                              endpoint_origin origin) {
  return system.spawn(endpoint_behavior, std::move(context), std::move(origin));
}

} // namespace troupe
