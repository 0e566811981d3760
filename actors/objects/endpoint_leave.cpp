#include "troupe/actors/api/log.hpp"
#include "troupe/actors/core/commit.hpp"
#include "troupe/actors/core/count_down.hpp"
#include "troupe/actors/objects/endpoint_state.hpp"

namespace troupe {

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
      if (joined && why.code == ec::timeout)
        return stay_joined(std::move(why), reply);
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
  commit_for_sure(
    self, context, commit_changes{std::move(changes)},
    [=, this](done&) {
      raze_then_finish(remove, reply);
    },
    [=, this](error why) {
      stay_joined(std::move(why), reply);
    });
}

/// Also after a wait for the sandbox's turn that took too long: the turn must
/// not come to an endpoint that does not use it.
void endpoint_state::stay_joined(error why, promise<done> reply) {
  auto stay = [=, this](auto&&) mutable {
    // The sandbox may have been removed meanwhile.
    phase = joined ? "joined" : "created";
    reply.deliver(with_context(why, "leave " + title()));
    settle();
  };
  ask<done>(self, sandbox, context->operation_deadline(),
            finish_leave{spec->id, false}, stay, stay);
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
  raze([=, this] {
    ask<done>(self, sandbox, context->operation_deadline(),
              finish_leave{spec->id, true}, left, left);
  });
}

/// Takes link and rules away at the same time, then goes on, whatever the
/// kernel says: driver and firewall try again on their own.
void endpoint_state::raze(std::function<void()> next) {
  auto one_less = count_down{2, std::move(next)};
  ask<done>(self, driver, context->step_deadline(), raze_endpoint{plan()},
            one_less, [=, this](const error& why) {
              log().warn("{}: {}; removed later", title(), why.message);
              one_less();
            });
  unprotect(one_less);
}

/// Takes rules and ports away, then goes on.
void endpoint_state::unprotect(std::function<void()> next) {
  bindings.clear();
  if (!filtered)
    return next();
  auto go_on = [next](auto&&) {
    next();
  };
  ask<done>(self, context->firewall, context->step_deadline(),
            unprotect_endpoint{*spec}, go_on, go_on);
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
  commit_for_sure(
    self, context,
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
  const auto goes = spec->ephemeral && !ended;
  ended = ended || goes;
  auto finish = [=, this]() mutable {
    if (goes)
      tell(owner, endpoint_gone{spec->id});
    reply.deliver(done{});
    if (!goes)
      return;
    quits_when_idle = true;
    if (!turns.busy())
      self->quit();
  };
  unprotect(finish);
}

} // namespace troupe
