#pragma once

#include "troupe/actors/core/context.hpp"
#include "troupe/actors/services/firewall/firewall.hpp"
#include "troupe/netns/simulated/kernel.hpp"

#include <caf/scheduler/test_coordinator.hpp>
#include <gtest/gtest.h>

#include <optional>
#include <string>

namespace troupe::test {

struct scripted_config : caf::actor_system_config {
  scripted_config() {
    add_message_types<caf::id_block::troupe>();
    set("scheduler.policy", caf::atom("testing"));
  }
};

/// A reply that may have come.
template <class Reply>
struct answer {
  std::optional<Reply> value;
  std::optional<error> why;

  bool pending() const {
    return !value && !why;
  }

  /// `pending`, `ok`, or the error's code and message.
  std::string text() const {
    if (why)
      return std::string{to_string(why->code)} + ": " + why->message;
    return value ? "ok" : "pending";
  }
};

/// Actors whose messages are handled one by one, when the test says so, on the
/// test's own thread and with a clock that the test moves.
class scripted_system {
public:
  scripted_system() {
    context->owner = instance::of("/run/troupe-test");
    context->spawn_detached = false;
    context->parts.open_kernel = netns::simulated_kernel_factory(world);
    auto host = netns::open_simulated_kernel(world);
    (void)host->set_sysctl(netns::sysctl::ipv4_forwarding, "all", 1);
    (void)host->set_sysctl(netns::sysctl::ipv6_forwarding, "all", 1);
    context->firewall = keep(spawn_firewall(system, context));
  }

  ~scripted_system() {
    // Handles must not outlive their actors.
    for (const auto& x : spawned_)
      caf::anon_send_exit(x, caf::exit_reason::user_shutdown);
    spawned_.clear();
    context->release_services();
    run();
  }

  /// Ends the actor with the test.
  template <class Handle>
  Handle keep(Handle x) {
    spawned_.push_back(caf::actor_cast<caf::actor>(x));
    return x;
  }

  /// Sends a request of the test.
  template <class Reply, class Handle, class Message>
  std::shared_ptr<answer<Reply>> ask(const Handle& to, Message what) {
    auto result = std::make_shared<answer<Reply>>();
    // The argument is for CAF 0.17, which dereferences a null pointer when it
    // spawns a function without one.
    auto asker = [result, to](caf::event_based_actor* self, Message what) {
      troupe::ask<Reply>(
        self, to, std::chrono::hours{24}, what,
        [result](Reply& x) {
          result->value = std::move(x);
        },
        [result](error why) {
          result->why = std::move(why);
        });
    };
    keep(system.spawn(asker, std::move(what)));
    return result;
  }

  /// Handles messages until none is left; time stands still.
  void run() {
    while (scheduler().has_job())
      scheduler().run_once();
  }

  /// Moves the clock and handles what comes of it.
  void pass(std::chrono::milliseconds time) {
    scheduler().advance_time(time);
    run();
  }

  std::shared_ptr<netns::simulated_world> world
    = std::make_shared<netns::simulated_world>();
  context_ptr context = std::make_shared<system_context>();
  scripted_config config; // Outlives the system.
  caf::actor_system system{config};

private:
  caf::scheduler::test_coordinator& scheduler() {
    return dynamic_cast<caf::scheduler::test_coordinator&>(system.scheduler());
  }

  std::vector<caf::actor> spawned_;
};

} // namespace troupe::test
