#pragma once

#include "troupe/actors/core/context.hpp"

#include <mutex>

namespace troupe {

/// Ends a watcher, which waits for the kernel however long that takes.
/// @thread_safety Everything.
class watch_switch {
public:
  /// From the watcher: this is where it waits from here on; null: nowhere.
  void set(netns::event_source* source);

  /// Ends the wait, and the watcher with it.
  void turn_off();

  bool is_off() const;

  /// Are the kernel's events seen?
  bool is_watching() const;

private:
  mutable std::mutex mutex_;
  netns::event_source* source_ = nullptr;
  bool off_ = false;
};

/// Spawns the watcher: from then on the controller gets `kernel_events`. Ends
/// by the switch.
watcher_actor spawn_watcher(caf::actor_system& system, context_ptr context,
                            controller_actor controller,
                            std::shared_ptr<watch_switch> ending);

} // namespace troupe
