#include "troupe/actors/core/commit.hpp"
#include "troupe/actors/core/count_down.hpp"
#include "troupe/actors/objects/endpoint_state.hpp"

namespace troupe {

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
      give_up_turn(std::move(why), reply);
    });
}

/// Who stops waiting for the sandbox's turn says so: else the turn would come
/// and stay with an endpoint that does not use it.
void endpoint_state::give_up_turn(error why, promise<endpoint_status> reply) {
  auto failed = [=, this](auto&&) {
    fail_join(why, reply);
  };
  if (why.code != ec::timeout)
    return failed(done{});
  ask<done>(self, sandbox, context->operation_deadline(),
            finish_join{spec->id, false}, failed, failed);
}

drivers::endpoint_plan endpoint_state::plan() const {
  return {*network, *spec, slot.where};
}

join_spec endpoint_state::join_record(std::vector<port_binding> ports) const {
  return {spec->id, network->id, slot.sandbox, slot.where.interface,
          compressed(std::move(ports))};
}

/// Link and rules at the same time, on two threads: a link whose rules are not
/// there yet cannot send. Both end before a failure is undone.
void endpoint_state::build(promise<endpoint_status> reply) {
  auto why = std::make_shared<std::optional<error>>();
  auto one_less = count_down{filtered ? 2U : 1U, [=, this] {
                               *why ? take_back(**why, reply)
                                    : switch_gateway_then_commit(reply);
                             }};
  auto failed = [=](error x) {
    *why = std::move(x);
    one_less();
  };
  ask<done>(self, driver, context->step_deadline(), build_endpoint{plan()},
            one_less, failed);
  if (filtered)
    ask<published_ports>(
      self, context->firewall, context->step_deadline(),
      protect_endpoint{*network, *spec, spec->ports, spec->publish_all, {}},
      [=, this](published_ports& published) {
        bindings = std::move(published.bindings);
        one_less();
      },
      failed);
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
  changes.emplace_back(join_record(bindings));
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
  joined = true;
  phase = "joined";
  publish(*context, "endpoint", "join", spec->id.value, spec->name,
          {{"network", network->name}, {"sandbox", slot.sandbox_name}});
  // Its rules are there: what it sends passes the guard.
  tell(driver, announce_endpoint{plan()});
  // Before the reply, so that nobody can overtake it in the sandbox's mailbox.
  tell(sandbox, finish_join{spec->id, true});
  reply.deliver(status());
  settle();
}

/// Undoes a join that failed or whose outcome is unknown. The store and the
/// driver get their messages in order, so what is still under way is undone as
/// well.
void endpoint_state::take_back(error why, promise<endpoint_status> reply) {
  auto undo = [=, this](auto&&) {
    raze([=, this] {
      auto failed = [=, this](auto&&) {
        fail_join(why, reply);
      };
      ask<done>(self, sandbox, context->operation_deadline(),
                finish_join{spec->id, false}, failed, failed);
    });
  };
  auto changes = std::vector<persistence::change>{
    persistence::remove_join_record{spec->id}};
  if (spec->ephemeral)
    changes.emplace_back(persistence::remove_endpoint_record{spec->id, true});
  overrule_commit(self, context, why, commit_changes{std::move(changes)}, undo);
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

} // namespace troupe
