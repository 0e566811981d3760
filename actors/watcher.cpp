#include "troupe/actors/watcher.hpp"

#include "troupe/actors/log.hpp"

#include <algorithm>

namespace troupe {

namespace {

/// One wait; bounds how long a shutdown waits for this actor.
constexpr auto wait_longest = std::chrono::milliseconds{200};

/// Events rarely come alone: those of this time are passed on together.
constexpr auto gather_time = std::chrono::milliseconds{100};

} // namespace

struct watcher_state {
  static inline const char* name = "watcher";

  std::unique_ptr<netns::event_source> source;
};

namespace {

/// Waits for the first event and then gathers. Each is stamped as it comes,
/// so that objects can tell their own changes from those of others.
result<std::vector<seen_event>> next_events(netns::event_source& from) {
  using clock = std::chrono::steady_clock;
  auto seen = std::vector<seen_event>{};
  auto longest = wait_longest;
  auto end = clock::time_point::max();
  while (clock::now() < end) {
    auto events = from.wait(longest);
    if (!events)
      return fail(std::move(events.error()));
    if (events->empty())
      break;
    for (auto& x : *events)
      seen.push_back({std::move(x), clock::now()});
    longest = gather_time / 4;
    end = std::min(end, clock::now() + gather_time);
  }
  return seen;
}

} // namespace

watcher_actor::behavior_type
watcher(watcher_actor::stateful_pointer<watcher_state> self,
        context_ptr context, controller_actor controller) {
  auto source = context->parts.open_watch();
  if (!source) {
    log().warn("watch the kernel: {}; what others break is mended only by the "
               "regular comparison",
               source.error().message);
    self->quit();
    return no_behavior<watcher_actor>();
  }
  state_of(self).source = std::move(*source);
  tell(watcher_actor{self}, poll_kernel{});
  return {
    [self, controller](const poll_kernel&) -> caf::result<done> {
      auto events = next_events(*state_of(self).source);
      if (!events)
        log().warn("watch the kernel: {}", events.error().message);
      else if (!events->empty())
        tell(controller, kernel_events{std::move(*events)});
      tell_after(watcher_actor{self},
                 std::chrono::milliseconds{events ? 0 : 1'000}, poll_kernel{});
      return done{};
    },
  };
}

watcher_actor spawn_watcher(caf::actor_system& system, context_ptr context,
                            controller_actor controller) {
  return spawn_blocking(system, context, watcher, context,
                        std::move(controller));
}

} // namespace troupe
