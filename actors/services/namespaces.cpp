#include "troupe/actors/services/namespaces.hpp"

#include "troupe/actors/api/backoff.hpp"
#include "troupe/actors/services/pins.hpp"

#include <map>

namespace troupe {

struct namespaces_state {
  static inline const char* name = "namespaces";

  result<std::unique_ptr<netns::kernel>> kernel
    = fail(ec::unavailable, "open the kernel: not done yet");
  bool preparing = false;
  /// Pins that could not be removed are tried again.
  std::map<sandbox_id, backoff> closing;
};

namespace {

result<opened_namespace>
open_pin(netns::kernel& kernel, const open_namespace& msg) {
  const auto name = pin_name(msg.sandbox);
  auto ns = msg.path.empty() ? kernel.create_namespace(name)
                             : adopt(kernel, name, msg.path);
  if (!ns)
    return fail(std::move(ns.error()));
  return opened_namespace{std::move(*ns)};
}

using pointer = namespaces_actor::stateful_pointer<namespaces_state>;

/// Behind what waits already: a namespace in advance is for later requests.
void prepare_soon(pointer self, const system_context& context) {
  auto& state = state_of(self);
  if (state.preparing || context.how.ready_namespaces == 0)
    return;
  state.preparing = true;
  tell(namespaces_actor{self}, prepare_namespaces{});
}

/// Makes one and comes back for the next. After a failure the next request
/// tries again, and tells if it cannot have one.
void prepare_one(pointer self, const system_context& context) {
  auto& state = state_of(self);
  state.preparing = false;
  if (!state.kernel)
    return;
  auto wanted = static_cast<size_t>(context.how.ready_namespaces);
  auto ready = (*state.kernel)->prepare_namespace(wanted);
  if (ready && !*ready)
    prepare_soon(self, context);
}

result<done> to_done(result<void> outcome) {
  if (!outcome)
    return fail(std::move(outcome.error()));
  return done{};
}

} // namespace

namespaces_actor::behavior_type
namespaces_behavior(namespaces_actor::stateful_pointer<namespaces_state> self,
                    context_ptr context) {
  explain_exceptions(self);
  state_of(self).kernel = context->parts.open_kernel();
  auto with_kernel
    = [self](auto work) -> decltype(work(**state_of(self).kernel)) {
    auto& kernel = state_of(self).kernel;
    if (!kernel)
      return fail(kernel.error());
    return work(**kernel);
  };
  return {
    [=](const open_namespace& msg) -> caf::result<opened_namespace> {
      prepare_soon(self, *context);
      return to_caf(with_kernel([&](auto& kernel) {
        return open_pin(kernel, msg);
      }));
    },
    [=](const prepare_namespaces&) -> caf::result<done> {
      prepare_one(self, *context);
      return done{};
    },
    [=](const close_namespace& msg) -> caf::result<done> {
      auto closed = with_kernel([&](auto& kernel) {
        return to_done(close_pin(kernel, msg));
      });
      // The store has forgotten the sandbox: nobody else would remember.
      auto& closing = state_of(self).closing;
      if (closed)
        closing.erase(msg.sandbox);
      else
        tell_after(namespaces_actor{self}, closing[msg.sandbox].next(), msg);
      return to_caf(std::move(closed));
    },
    [=](const set_default_routes& msg) -> caf::result<done> {
      return to_caf(with_kernel([&](auto& kernel) {
        return to_done(replace_default_routes(kernel, msg));
      }));
    },
    [=](const reconcile_namespaces& msg) -> caf::result<reconciled_namespaces> {
      return to_caf(with_kernel([&](auto& kernel) {
        return reconcile_pins(kernel, msg);
      }));
    },
    [=](const remove_pins& msg) -> caf::result<done> {
      return to_caf(with_kernel([&](auto& kernel) {
        auto outcome = result<void>{};
        for (const auto& pin : msg.names)
          if (auto removed = unpin(kernel, pin); !removed && outcome)
            outcome = removed;
        return to_done(std::move(outcome));
      }));
    },
  };
}

namespaces_actor
spawn_namespaces(caf::actor_system& system, context_ptr context) {
  return spawn_blocking(system, context, namespaces_behavior, context);
}

} // namespace troupe
