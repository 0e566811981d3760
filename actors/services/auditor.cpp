#include "troupe/actors/services/auditor.hpp"

#include "troupe/actors/doctor/doctor.hpp"

#include <malloc.h>

namespace troupe {

struct auditor_state {
  static inline const char* name = "auditor";

  result<std::unique_ptr<netns::kernel>> kernel
    = fail(ec::unavailable, "open the kernel: not done yet");
};

namespace {

result<examined>
examine_all(const system_context& context, doctor_views& views) {
  views.has_kernel = static_cast<bool>(context.parts.read_audit);
  if (views.has_kernel) {
    auto kernel
      = context.parts.read_audit(promises_of(views.store, context.owner));
    if (!kernel)
      return fail(std::move(kernel.error()));
    views.kernel = std::move(*kernel);
  }
  auto seen = diagnose(views, context.owner);
  return examined{std::move(seen.findings), std::move(seen.links),
                  std::move(seen.pins), views.kernel.rules.has_value()};
}

result<host_links> list_links(auditor_state& state) {
  if (!state.kernel)
    return fail(state.kernel.error());
  auto links = (*state.kernel)->links();
  if (!links)
    return fail(std::move(links.error()));
  return host_links{std::move(*links)};
}

} // namespace

auditor_actor::behavior_type
auditor_behavior(auditor_actor::stateful_pointer<auditor_state> self,
                 context_ptr context) {
  explain_exceptions(self);
  state_of(self).kernel = context->parts.open_kernel();
  return {
    [context](const examine& msg) -> caf::result<examined> {
      return to_caf(examine_all(*context, *msg.views));
    },
    [self](const list_host_links&) -> caf::result<host_links> {
      return to_caf(list_links(state_of(self)));
    },
    [context](const audit_obstructions& msg) -> caf::result<seen_obstructions> {
      if (!context->parts.read_obstructions)
        return seen_obstructions{};
      auto found = context->parts.read_obstructions(msg.networks);
      if (!found)
        return to_caf(std::move(found.error()));
      return seen_obstructions{std::move(*found)};
    },
    [](const trim_memory&) -> caf::result<done> {
      (void)::malloc_trim(0);
      return done{};
    },
  };
}

auditor_actor spawn_auditor(caf::actor_system& system, context_ptr context) {
  return spawn_blocking(system, context, auditor_behavior, context);
}

} // namespace troupe
