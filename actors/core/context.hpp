#pragma once

#include "troupe/actors/api/failure_board.hpp"
#include "troupe/actors/core/interfaces.hpp"
#include "troupe/actors/core/parts.hpp"
#include "troupe/config/model/instance.hpp"
#include "troupe/config/settings.hpp"

#include <atomic>
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
  auditor_actor auditor;

  /// Lets go of every service: a handle that outlives its actor keeps the actor
  /// system from ending.
  void release_services() {
    store = store_actor{};
    namespaces = namespaces_actor{};
    ipam = ipam_actor{};
    events = events_actor{};
    firewall = firewall_actor{};
    auditor = auditor_actor{};
  }

  /// Does the host have IPv6, so that a port that names no address has two
  /// sockets? Seen by the firewall at start.
  std::atomic<bool> host_has_ipv6{true};

  /// Where an unexpected end of one of them is told.
  std::shared_ptr<failure_board> failures = std::make_shared<failure_board>();

  /// Not held: its objects may outlive it.
  caf::weak_actor_ptr controller;

  /// Upper bound for one step on a blocking actor.
  std::chrono::milliseconds step_deadline() const {
    return std::chrono::milliseconds{how.driver_timeout_ms};
  }

  /// Upper bound for what is made of several steps: their sum, so that the
  /// inner error arrives first.
  std::chrono::milliseconds operation_deadline() const {
    return steps_per_operation * step_deadline();
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

/// Tells when an actor ends that was not told to. An object that is gone would
/// answer nobody, for ever; a process that ends is started anew.
template <class Handle>
void supervise(const Handle& x, const context_ptr& context, std::string what) {
  x->attach_functor([failures = context->failures,
                     what = std::move(what)](const caf::error& reason) {
    if (!is_ordinary_end(reason))
      failures->report(
        with_context(from_caf(reason), what + " ended unexpectedly"));
  });
}

/// Publishes an event; nobody waits for it.
inline void
publish(const system_context& context, std::string type, std::string action,
        std::string id, std::string name, text_map attributes = {}) {
  tell(context.events,
       publish_event{{0, 0, std::move(type), std::move(action), std::move(id),
                      std::move(name), std::move(attributes)}});
}

/// Tells the controller, if it is still there.
template <class Message>
void tell_controller(const system_context& context, Message message) {
  if (auto handle = caf::actor_cast<controller_actor>(context.controller))
    tell(handle, std::move(message));
}

} // namespace troupe
