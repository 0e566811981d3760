#include "troupe/actors/services/events.hpp"

#include "troupe/actors/api/failure_board.hpp"
#include "troupe/actors/objects/admission.hpp"

namespace troupe {

struct events_state {
  static inline const char* name = "events";

  uint64_t last = 0;
  std::map<uint64_t, std::function<void(const event&)>> subscribers;
};

events_actor::behavior_type
events_behavior(events_actor::stateful_pointer<events_state> self,
                uint64_t last) {
  explain_exceptions(self);
  state_of(self).last = last;
  return {
    [self](publish_event& msg) -> caf::result<done> {
      auto& state = state_of(self);
      msg.what.sequence = ++state.last;
      msg.what.time_ms = unix_time_ms();
      for (const auto& [number, handler] : state.subscribers)
        call_handler(&self->system(), "handler of an event", handler, msg.what);
      return done{};
    },
    [self](add_subscriber& msg) -> caf::result<done> {
      state_of(self).subscribers.emplace(msg.number, std::move(msg.handler));
      return done{};
    },
    [self](const remove_subscriber& msg) -> caf::result<done> {
      // What the handler holds goes in its scope: maybe the backend.
      auto scope = handler_scope{&self->system()};
      state_of(self).subscribers.erase(msg.number);
      return done{};
    },
  };
}

events_actor spawn_events(caf::actor_system& system, uint64_t last) {
  // An argument also because CAF 0.17 dereferences a null pointer when it
  // spawns a function without one, which hardened builds do not forgive.
  return system.spawn(events_behavior, last);
}

} // namespace troupe
