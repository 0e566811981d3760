#include "troupe/actors/services/watcher.hpp"

#include "troupe/actors/api/log.hpp"

#include <algorithm>

namespace troupe {

// -- the switch ---------------------------------------------------------------

void watch_switch::set(netns::event_source* source) {
  auto guard = std::lock_guard{mutex_};
  source_ = source;
  if (off_ && source_ != nullptr)
    source_->interrupt();
}

void watch_switch::turn_off() {
  auto guard = std::lock_guard{mutex_};
  off_ = true;
  if (source_ != nullptr)
    source_->interrupt();
}

bool watch_switch::is_off() const {
  auto guard = std::lock_guard{mutex_};
  return off_;
}

bool watch_switch::is_watching() const {
  auto guard = std::lock_guard{mutex_};
  return source_ != nullptr && !off_;
}

// -- the actor ----------------------------------------------------------------

struct watcher_state {
  static inline const char* name = "watcher";

  watcher_state() = default;
  watcher_state(const watcher_state&) = delete;
  watcher_state& operator=(const watcher_state&) = delete;
  ~watcher_state() {
    if (ending)
      ending->set(nullptr);
  }

  std::unique_ptr<netns::event_source> source;
  std::shared_ptr<watch_switch> ending;
};

namespace {

/// One wait: the switch ends it, nothing else has to.
constexpr auto wait_longest = std::chrono::hours{24};

/// Events rarely come alone: those of this time are passed on together.
constexpr auto gather_time = std::chrono::milliseconds{100};

/// After an error, and between two looks where time is virtual.
constexpr auto pause = std::chrono::milliseconds{1'000};

/// Waits for the first event and then gathers. Each is stamped as it comes,
/// so that objects can tell their own changes from those of others.
result<std::vector<seen_event>>
next_events(netns::event_source& from, std::chrono::milliseconds longest) {
  using clock = std::chrono::steady_clock;
  auto seen = std::vector<seen_event>{};
  auto end = clock::time_point::max();
  while (clock::now() < end) {
    auto events = from.wait(longest);
    if (!events)
      return fail(std::move(events.error()));
    if (events->empty())
      break;
    for (auto& x : *events)
      seen.push_back({std::move(x), clock::now()});
    longest = std::min<std::chrono::milliseconds>(longest, gather_time / 4);
    end = std::min(end, clock::now() + gather_time);
  }
  return seen;
}

} // namespace

watcher_actor::behavior_type
watcher_behavior(watcher_actor::stateful_pointer<watcher_state> self,
                 context_ptr context, controller_actor controller,
                 std::shared_ptr<watch_switch> ending) {
  explain_exceptions(self);
  auto source = context->parts.open_watch();
  if (!source) {
    log().warn("watch the kernel: {}; what others break is mended only by the "
               "regular comparison",
               source.error().message);
    self->quit();
    return no_behavior<watcher_actor>();
  }
  state_of(self).source = std::move(*source);
  state_of(self).ending = std::move(ending);
  state_of(self).ending->set(state_of(self).source.get());
  tell(watcher_actor{self}, poll_kernel{});
  return {
    [self, controller, context](const poll_kernel&) -> caf::result<done> {
      auto& state = state_of(self);
      // A deterministic scheduler has one thread for everybody.
      const auto waits = context->spawn_detached;
      auto events = next_events(
        *state.source, waits ? wait_longest : std::chrono::milliseconds{0});
      if (state.ending->is_off()) {
        self->quit();
        return done{};
      }
      if (!events)
        log().warn("watch the kernel: {}", events.error().message);
      else if (!events->empty())
        tell(controller, kernel_events{std::move(*events)});
      if (events && waits)
        tell(watcher_actor{self}, poll_kernel{});
      else
        tell_after(watcher_actor{self}, pause, poll_kernel{});
      return done{};
    },
  };
}

watcher_actor spawn_watcher(caf::actor_system& system, context_ptr context,
                            controller_actor controller,
                            std::shared_ptr<watch_switch> ending) {
  return spawn_blocking(system, context, watcher_behavior, context,
                        std::move(controller), std::move(ending));
}

} // namespace troupe
