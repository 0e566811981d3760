#pragma once

#include "troupe/actors/embedded.hpp"
#include "troupe/actors/interfaces.hpp"
#include "troupe/config/model/instance.hpp"

#include <chrono>
#include <memory>

namespace troupe {

/// What all actors of one system share; immutable once the controller has
/// spawned the services.
struct system_context {
  settings how;
  instance owner;
  /// Different on every host; automatic IPv6 subnets are derived from it.
  std::string host_seed;
  embedded_parts parts;
  /// Tests run blocking actors in the deterministic scheduler as well.
  bool spawn_detached = true;

  store_actor store;
  namespaces_actor namespaces;
  ipam_actor ipam;
  events_actor events;
  firewall_actor firewall;

  /// Upper bound for one step on a blocking actor.
  std::chrono::milliseconds step_deadline() const {
    return std::chrono::milliseconds{how.driver_timeout_ms};
  }

  /// Upper bound for a request that is made of several steps: longer than
  /// their sum, so that the inner error arrives first.
  std::chrono::milliseconds operation_deadline() const {
    return 6 * step_deadline();
  }
};

using context_ptr = std::shared_ptr<system_context>;

/// Spawns an actor that blocks: on its own thread, but in tests.
template <class Function, class... Args>
auto spawn_blocking(caf::actor_system& system, const context_ptr& context,
                    Function function, Args&&... args) {
  if (context->spawn_detached)
    return system.spawn<caf::detached>(function, std::forward<Args>(args)...);
  return system.spawn(function, std::forward<Args>(args)...);
}

/// Publishes an event; nobody waits for it.
inline void
publish(const system_context& context, std::string type, std::string action,
        std::string id, std::string name, text_map attributes = {}) {
  tell(context.events,
       publish_event{{0, 0, std::move(type), std::move(action), std::move(id),
                      std::move(name), std::move(attributes)}});
}

} // namespace troupe
