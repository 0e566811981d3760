#include "troupe/actors/events.hpp"

#include "troupe/actors/admission.hpp"

namespace troupe {

struct events_state {
  static inline const char* name = "events";

  uint64_t last = 0;
  std::map<uint64_t, std::function<void(const event&)>> subscribers;
};

events_actor::behavior_type
events(events_actor::stateful_pointer<events_state> self) {
  return {
    [self](publish_event& msg) -> caf::result<done> {
      auto& state = state_of(self);
      msg.what.sequence = ++state.last;
      msg.what.time_ms = unix_time_ms();
      for (const auto& [number, handler] : state.subscribers)
        handler(msg.what);
      return done{};
    },
    [self](add_subscriber& msg) -> caf::result<done> {
      state_of(self).subscribers.emplace(msg.number, std::move(msg.handler));
      return done{};
    },
    [self](const remove_subscriber& msg) -> caf::result<done> {
      state_of(self).subscribers.erase(msg.number);
      return done{};
    },
  };
}

events_actor spawn_events(caf::actor_system& system) {
  return system.spawn(events);
}

} // namespace troupe
