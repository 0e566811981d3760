#include "troupe/actors/services/prober.hpp"

namespace troupe {

struct prober_state {
  static inline const char* name = "prober";
};

namespace {

prober_actor::behavior_type
prober_behavior(prober_actor::stateful_pointer<prober_state> self,
                context_ptr context) {
  return {
    [self, context](const probe_ways& msg) -> caf::result<probed> {
      self->quit();
      auto failures = context->parts.send_path_probes(msg.ways);
      if (!failures)
        return to_caf(std::move(failures.error()));
      return probed{std::move(*failures)};
    },
  };
}

} // namespace

prober_actor spawn_prober(caf::actor_system& system, context_ptr context) {
  return spawn_blocking(system, context, prober_behavior, context);
}

} // namespace troupe
