#include "troupe/actors/api/log.hpp"
#include "troupe/actors/core/commit.hpp"
#include "troupe/actors/core/count_down.hpp"
#include "troupe/actors/objects/sandbox_state.hpp"

namespace troupe {

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
      starting = false;
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
    ask<done>(self, context->namespaces, context->step_deadline(), closing(),
              finish, finish);
  };
  if (!uncommit)
    return close(done{});
  ask<done>(self, context->store, context->step_deadline(),
            commit_changes{{persistence::remove_sandbox_record{spec.id}}},
            close, close);
}

// -- remove -------------------------------------------------------------------

close_namespace sandbox_state::closing() const {
  return {spec.id, is_adopted() ? ns : netns::namespace_ref{}};
}

bool sandbox_state::is_adopted() const {
  return !spec.netns_path.empty() || spec.use_host_namespace;
}

/// In the namespace of somebody else, which lives on, things are removed while
/// records tell where they are: nobody would look there after a crash.
void sandbox_state::drop(promise<done> reply) {
  if (!is_adopted() || members.empty())
    return drop_records(reply);
  raze_adopted([=, this](result<void> razed) mutable {
    if (razed)
      return drop_records(reply);
    stay(std::move(razed.error()), reply);
  });
}

void sandbox_state::stay(error why, promise<done> reply) {
  reply.deliver(with_context(std::move(why), "remove " + title()));
  settle();
  // What was removed inside comes back.
  if (is_adopted())
    for (const auto& [id, who] : members)
      tell(who.handle, check_endpoint{});
}

void sandbox_state::drop_records(promise<done> reply) {
  auto changes = std::vector<persistence::change>{};
  for (const auto& [id, who] : members) {
    changes.emplace_back(persistence::remove_join_record{id});
    if (who.endpoint->ephemeral)
      changes.emplace_back(persistence::remove_endpoint_record{id, true});
  }
  changes.emplace_back(persistence::remove_sandbox_record{spec.id});
  commit_for_sure(
    self, context, commit_changes{std::move(changes)},
    [=, this](done&) {
      close_after_drop(reply);
    },
    [=, this](error why) mutable {
      stay(std::move(why), reply);
    });
}

/// The store has forgotten the sandbox: it is removed from here on. What the
/// kernel keeps is removed sooner or later by the driver and the namespaces.
void sandbox_state::close_after_drop(promise<done> reply) {
  ended = true;
  auto one_less = count_down{2, [=, this]() mutable {
                               publish(*context, "sandbox", "remove",
                                       spec.id.value, spec.name);
                               reply.deliver(done{});
                               settle();
                               self->quit();
                             }};
  announce_doomed();
  close_pin(one_less); // on two threads
  dismiss_endpoints(one_less);
}

/// Lets go of the namespace, then goes on.
void sandbox_state::close_pin(std::function<void()> next) {
  if (spec.use_host_namespace)
    return next();
  ask<done>(
    self, context->namespaces, context->step_deadline(), closing(),
    [=](done&) {
      next();
    },
    [=, this](const error& why) {
      log().warn("remove {}: {}; tried again later", title(), why.message);
      next();
    });
}

/// The namespace of somebody else lives on: its links are removed one by one.
void sandbox_state::raze_adopted(std::function<void(result<void>)> next) {
  auto first = std::make_shared<result<void>>();
  auto one_less = count_down{members.size(), [=] {
                               next(std::move(*first));
                             }};
  for (const auto& x : table.all()) {
    const auto& who = members.at(x.id);
    ask<done>(self, who.driver, context->step_deadline(),
              raze_endpoint{{*who.network, *who.endpoint, slot_of(x).where}},
              one_less, [=](error why) mutable {
                if (*first)
                  *first = fail(std::move(why));
                one_less();
              });
  }
}

/// A namespace of ours dies and takes its links along, unless a process keeps
/// it; in one of somebody else's a comparison that was under way may have built
/// again what was removed there. The drivers look after both.
void sandbox_state::announce_doomed() {
  for (const auto& x : table.all()) {
    const auto& who = members.at(x.id);
    tell(who.driver,
         expect_gone{{{*who.network, *who.endpoint, slot_of(x).where}}});
  }
}

/// Tells the endpoints, which take their rules away, then goes on.
void sandbox_state::dismiss_endpoints(std::function<void()> next) {
  auto handles = std::vector<endpoint_actor>{};
  for (const auto& [id, who] : members)
    handles.push_back(who.handle);
  members.clear();
  table = joined_endpoints{};
  ask_all<done>(self, handles, context->step_deadline(), sandbox_gone{spec.id},
                [next](const std::vector<done>&) {
                  next();
                });
}

} // namespace troupe
