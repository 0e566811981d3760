#pragma once

#include "troupe/actors/core/context.hpp"

namespace troupe {

/// Commits what cannot be undone by another commit: a removal, after which the
/// records are not known any more. When the deadline passes nobody knows
/// whether it has happened, so it is asked for once more, which changes nothing
/// if it has. Exactly one of `ok(done&)` and `failed(error)` runs.
/// @param tries how often; in all shorter than an operation's deadline.
template <class Self, class Ok, class Failed>
void commit_for_sure(Self* self, const context_ptr& context,
                     commit_changes what, Ok ok, Failed failed, int tries = 4) {
  auto again = [=](error why) mutable {
    if (why.code != ec::timeout || tries <= 1)
      return failed(std::move(why));
    commit_for_sure(self, context, what, ok, failed, tries - 1);
  };
  ask<done>(self, context->store, context->step_deadline(), what, ok,
            std::move(again));
}

/// After a commit failed: when the deadline has passed it may still come, so
/// another one that overrules it goes first. Then, whatever the store says,
/// `next` gets whatever came.
template <class Self, class Next>
void overrule_commit(Self* self, const context_ptr& context, const error& why,
                     commit_changes what, Next next) {
  if (why.code != ec::timeout)
    return next(done{});
  ask<done>(self, context->store, context->step_deadline(), std::move(what),
            next, next);
}

} // namespace troupe
