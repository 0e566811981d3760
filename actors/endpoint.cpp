#include "troupe/actors/endpoint.hpp"

#include "troupe/actors/joined_endpoints.hpp"
#include "troupe/actors/turn_queue.hpp"
#include "troupe/drivers/registry.hpp"

#include <spdlog/spdlog.h>

namespace troupe {

struct endpoint_state;
using endpoint_pointer = endpoint_actor::stateful_pointer<endpoint_state>;

/// Operations are chains of steps: each step asks another actor and goes on in
/// the handler of its reply. Every chain ends in `settle` or `end`.
struct endpoint_state {
  static inline const char* name = "endpoint";

  explicit endpoint_state(endpoint_pointer selfptr) : self{selfptr} {
  }

  // -- steps of a join --------------------------------------------------------

  void start(promise<endpoint_status> reply);
  void join(const sandbox_actor& into, promise<endpoint_status> reply);
  void build(promise<endpoint_status> reply);
  void switch_gateway_then_commit(promise<endpoint_status> reply);
  void commit_join(promise<endpoint_status> reply);
  void finish_joining(promise<endpoint_status> reply);
  void take_back(error why, promise<endpoint_status> reply);
  void fail_join(error why, promise<endpoint_status> reply);

  // -- steps of a leave and a removal -----------------------------------------

  void part(bool remove, promise<done> reply);
  void commit_leave(bool remove, promise<done> reply);
  void raze_then_finish(bool remove, promise<done> reply);
  void drop(bool force, promise<done> reply);
  void forget(promise<done> reply);

  // -- the rest ---------------------------------------------------------------

  void check(seen_time seen, promise<mend_report> reply);
  void be_gone_with_sandbox(promise<done> reply);
  endpoint_status status() const;
  drivers::endpoint_plan plan() const;

  /// Ends the operation in work and starts the next.
  void settle();
  void release_turn();
  /// Releases name and addresses, delivers, then the actor ends.
  void end(std::function<void()> deliver);
  error gone_error() const;
  std::string title() const;

  template <class Reply>
  void take_turn(promise<Reply> reply, std::function<void()> work);

  endpoint_pointer self;
  context_ptr context;
  std::shared_ptr<const endpoint_spec> spec;
  std::shared_ptr<const network_spec> network;
  network_actor owner;
  driver_actor driver;
  std::string host_interface; ///< Empty for drivers without one.

  sandbox_actor sandbox; ///< While joining, joined or leaving.
  join_slot slot;
  const char* phase = "created";
  bool joined = false;
  bool ended = false;
  bool quits_when_idle = false;
  turn_queue turns;
  seen_time changed = {}; ///< When its last operation ended.
};

// -- turns --------------------------------------------------------------------

template <class Reply>
void endpoint_state::take_turn(promise<Reply> reply,
                               std::function<void()> work) {
  auto guarded = [this, reply, work = std::move(work)]() mutable {
    if (!ended)
      return work();
    reply.deliver(gone_error());
    release_turn();
  };
  if (!turns.enter(std::move(guarded)))
    reply.deliver(
      error{ec::unavailable, title() + ": too many operations wait", "", 0});
}

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
void endpoint_state::end(std::function<void()> deliver) {
  ended = true;
  phase = "gone";
  auto finish = [this, deliver = std::move(deliver)](auto&&) {
    deliver();
    quits_when_idle = true;
    settle();
  };
  ask<done>(self, owner, context->step_deadline(), endpoint_gone{spec->id},
            finish, finish);
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
      publish(*context, "endpoint", "create", spec->id.value, spec->name,
              {{"network", network->name}});
      reply.deliver(status());
      settle();
    },
    [=, this](error why) mutable {
      end([=]() mutable {
        reply.deliver(why);
      });
    });
}

// -- join ---------------------------------------------------------------------

void endpoint_state::join(const sandbox_actor& into,
                          promise<endpoint_status> reply) {
  if (joined) {
    reply.deliver(error{ec::forbidden,
                        "join " + title() + ": it is joined to sandbox "
                          + quoted(slot.sandbox_name),
                        "leave it first", 0});
    return settle();
  }
  phase = "joining";
  sandbox = into;
  auto who = joining_endpoint{endpoint_actor{self}, driver, network, spec};
  ask<join_slot>(
    self, sandbox, context->operation_deadline(), reserve_join{std::move(who)},
    [=, this](join_slot& given) {
      slot = std::move(given);
      build(reply);
    },
    [=, this](error why) {
      fail_join(std::move(why), reply);
    });
}

drivers::endpoint_plan endpoint_state::plan() const {
  return {*network, *spec, slot.where};
}

void endpoint_state::build(promise<endpoint_status> reply) {
  ask<done>(
    self, driver, context->step_deadline(), build_endpoint{plan()},
    [=, this](done&) {
      switch_gateway_then_commit(reply);
    },
    [=, this](error why) {
      take_back(std::move(why), reply);
    });
}

void endpoint_state::switch_gateway_then_commit(
  promise<endpoint_status> reply) {
  if (!slot.switches_gateway)
    return commit_join(reply);
  ask<done>(
    self, sandbox, context->operation_deadline(), switch_gateway{spec->id},
    [=, this](done&) {
      commit_join(reply);
    },
    [=, this](error why) {
      take_back(std::move(why), reply);
    });
}

void endpoint_state::commit_join(promise<endpoint_status> reply) {
  auto changes = std::vector<persistence::change>{};
  if (spec->ephemeral)
    changes.emplace_back(*spec);
  changes.emplace_back(
    join_spec{spec->id, network->id, slot.sandbox, slot.where.interface});
  ask<done>(
    self, context->store, context->step_deadline(),
    commit_changes{std::move(changes)},
    [=, this](done&) {
      finish_joining(reply);
    },
    [=, this](error why) {
      take_back(std::move(why), reply);
    });
}

void endpoint_state::finish_joining(promise<endpoint_status> reply) {
  auto finished = [=, this]() mutable {
    joined = true;
    phase = "joined";
    publish(*context, "endpoint", "join", spec->id.value, spec->name,
            {{"network", network->name}, {"sandbox", slot.sandbox_name}});
    reply.deliver(status());
    settle();
  };
  ask<done>(
    self, sandbox, context->operation_deadline(), finish_join{spec->id, true},
    [finished](done&) mutable {
      finished();
    },
    [finished](const error&) mutable {
      finished();
    });
}

/// Undoes a join that failed or whose outcome is unknown. The store and the
/// driver get their messages in order, so what is still under way is undone as
/// well.
void endpoint_state::take_back(error why, promise<endpoint_status> reply) {
  auto leave_sandbox = [=, this] {
    auto failed = [=, this](auto&&) {
      fail_join(why, reply);
    };
    ask<done>(self, sandbox, context->operation_deadline(),
              finish_join{spec->id, false}, failed, failed);
  };
  auto raze = [=, this] {
    auto razed = [=](auto&&) {
      leave_sandbox();
    };
    ask<done>(self, driver, context->step_deadline(), raze_endpoint{plan()},
              razed, razed);
  };
  if (why.code != ec::timeout)
    return raze();
  auto changes = std::vector<persistence::change>{
    persistence::remove_join_record{spec->id}};
  if (spec->ephemeral)
    changes.emplace_back(persistence::remove_endpoint_record{spec->id, true});
  auto uncommitted = [=](auto&&) {
    raze();
  };
  ask<done>(self, context->store, context->step_deadline(),
            commit_changes{std::move(changes)}, uncommitted, uncommitted);
}

void endpoint_state::fail_join(error why, promise<endpoint_status> reply) {
  sandbox = sandbox_actor{};
  slot = {};
  phase = "created";
  why = with_context(std::move(why), "join " + title());
  if (spec->ephemeral)
    return end([=]() mutable {
      reply.deliver(why);
    });
  reply.deliver(std::move(why));
  settle();
}

// -- leave and remove ---------------------------------------------------------

void endpoint_state::part(bool remove, promise<done> reply) {
  if (!joined) {
    reply.deliver(error{ec::forbidden,
                        "leave " + title() + ": it is not joined to a sandbox",
                        "", 0});
    return settle();
  }
  phase = "leaving";
  ask<done>(
    self, sandbox, context->operation_deadline(), reserve_leave{spec->id},
    [=, this](done&) {
      commit_leave(remove, reply);
    },
    [=, this](error why) mutable {
      if (joined) {
        phase = "joined";
        reply.deliver(with_context(std::move(why), "leave " + title()));
        return settle();
      }
      // The sandbox was removed meanwhile and took the endpoint out.
      if (ended) {
        reply.deliver(done{});
        return settle();
      }
      if (remove)
        return forget(reply);
      reply.deliver(done{});
      settle();
    });
}

void endpoint_state::commit_leave(bool remove, promise<done> reply) {
  auto changes = std::vector<persistence::change>{
    persistence::remove_join_record{spec->id}};
  if (remove || spec->ephemeral)
    changes.emplace_back(
      persistence::remove_endpoint_record{spec->id, spec->ephemeral});
  ask<done>(
    self, context->store, context->step_deadline(),
    commit_changes{std::move(changes)},
    [=, this](done&) {
      raze_then_finish(remove, reply);
    },
    [=, this](error why) {
      auto stay = [=, this](auto&&) mutable {
        phase = "joined";
        reply.deliver(with_context(why, "leave " + title()));
        settle();
      };
      ask<done>(self, sandbox, context->operation_deadline(),
                finish_leave{spec->id, false}, stay, stay);
    });
}

/// The store has forgotten the join: from here on the leave has happened, and
/// what the kernel still has is removed sooner or later by the driver actor.
void endpoint_state::raze_then_finish(bool remove, promise<done> reply) {
  auto left = [=, this](auto&&) mutable {
    joined = false;
    phase = "created";
    sandbox = sandbox_actor{};
    publish(*context, "endpoint", "leave", spec->id.value, spec->name,
            {{"network", network->name}, {"sandbox", slot.sandbox_name}});
    if (remove || spec->ephemeral)
      return end([=]() mutable {
        reply.deliver(done{});
      });
    reply.deliver(done{});
    settle();
  };
  auto razed = [=, this] {
    ask<done>(self, sandbox, context->operation_deadline(),
              finish_leave{spec->id, true}, left, left);
  };
  ask<done>(
    self, driver, context->step_deadline(), raze_endpoint{plan()},
    [razed](done&) {
      razed();
    },
    [razed, this](const error& why) {
      spdlog::warn("leave {}: {}; removed later", title(), why.message);
      razed();
    });
}

void endpoint_state::drop(bool force, promise<done> reply) {
  if (!joined)
    return forget(reply);
  if (force)
    return part(true, reply);
  reply.deliver(error{ec::forbidden,
                      "remove " + title() + ": it is joined to sandbox "
                        + quoted(slot.sandbox_name),
                      "leave first, or force the removal", 0});
  settle();
}

/// Removes the record of an endpoint that is not joined.
void endpoint_state::forget(promise<done> reply) {
  ask<done>(
    self, context->store, context->step_deadline(),
    commit_changes{
      {persistence::remove_endpoint_record{spec->id, spec->ephemeral}}},
    [=, this](done&) {
      publish(*context, "endpoint", "remove", spec->id.value, spec->name,
              {{"network", network->name}});
      end([=]() mutable {
        reply.deliver(done{});
      });
    },
    [=, this](error why) mutable {
      reply.deliver(with_context(std::move(why), "remove " + title()));
      settle();
    });
}

/// Not an operation of its own: the sandbox has the turn and waits. One that is
/// in work finds the endpoint gone at its next step.
void endpoint_state::be_gone_with_sandbox(promise<done> reply) {
  joined = false;
  phase = "created";
  sandbox = sandbox_actor{};
  if (!spec->ephemeral || ended) {
    reply.deliver(done{});
    return;
  }
  ended = true;
  auto finish = [=, this](auto&&) mutable {
    reply.deliver(done{});
    quits_when_idle = true;
    if (!turns.busy())
      self->quit();
  };
  ask<done>(self, owner, context->step_deadline(), endpoint_gone{spec->id},
            finish, finish);
}

// -- check --------------------------------------------------------------------

void endpoint_state::check(seen_time seen, promise<mend_report> reply) {
  if (!joined || turns.busy() || seen <= changed + own_change_grace) {
    reply.deliver(mend_report{});
    return;
  }
  take_turn(reply, [=, this] {
    auto over = [=, this](auto&& outcome) mutable {
      reply.deliver(std::move(outcome));
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
            over(std::move(report));
          },
          over);
      },
      over);
  });
}

endpoint_status endpoint_state::status() const {
  auto result = endpoint_status{};
  result.spec = *spec;
  result.network_name = network->name;
  result.state = phase;
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
endpoint(endpoint_actor::stateful_pointer<endpoint_state> self,
         context_ptr context, endpoint_origin origin) {
  auto& state = state_of(self);
  state.spec = std::make_shared<const endpoint_spec>(std::move(origin.spec));
  state.network = std::move(origin.network);
  state.owner = std::move(origin.owner);
  state.driver = std::move(origin.driver);
  state.turns = turn_queue{static_cast<size_t>(context->how.max_queue)};
  if (auto driver = drivers::make(state.network->driver, context->owner))
    state.host_interface = driver->host_interface(*state.spec);
  state.context = std::move(context);
  return {
    [&state](const start_endpoint&) -> caf::result<endpoint_status> {
      auto reply = promise<endpoint_status>{state.self};
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
    [&state](const get_endpoint&) -> caf::result<endpoint_status> {
      if (state.ended)
        return to_caf(state.gone_error());
      return state.status();
    },
    [&state](const rejoin& msg) -> caf::result<done> {
      auto reply = promise<done>{state.self};
      state.sandbox = msg.sandbox;
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
      state.check(msg.seen, reply);
      return reply;
    },
  };
}

endpoint_actor spawn_endpoint(caf::actor_system& system, context_ptr context,
                              endpoint_origin origin) {
  return system.spawn(endpoint, std::move(context), std::move(origin));
}

} // namespace troupe
