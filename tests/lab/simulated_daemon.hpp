#pragma once

// Private to this folder.

#include "troupe/actors/embedded/embedded.hpp"
#include "troupe/config/model/instance.hpp"
#include "troupe/netns/watch.hpp"
#include "troupe/tests/lab/message_rule.hpp"

#include <chrono>
#include <cstddef>
#include <memory>
#include <random>
#include <vector>

namespace troupe::testing {

/// The real actors on CAF's deterministic scheduler and virtual time, all on
/// the calling thread. The only class of this folder that knows CAF.
class simulated_daemon {
public:
  simulated_daemon(settings how, instance owner, embedded_parts parts);
  ~simulated_daemon();
  simulated_daemon(const simulated_daemon&) = delete;
  simulated_daemon& operator=(const simulated_daemon&) = delete;

  /// Loads, rebuilds, reconciles. Errors: those of start-up.
  result<void> start_up();

  /// Sends a request; the handler is called while messages run.
  void submit(request what, std::chrono::milliseconds deadline,
              reply_handler handler);

  void subscribe(uint64_t number, event_handler handler);
  void unsubscribe(uint64_t number);

  /// The kernel says that it has dropped events.
  void lose_events();

  /// The kernel reports changes; the daemon takes none of them for its own.
  void report(std::vector<netns::kernel_event> events);

  /// Runs until there is nothing to do at this instant.
  void run();

  /// Runs one message of an actor chosen by `rng`. @returns false if there is
  /// none.
  bool run_one(std::mt19937_64& rng);

  /// Lets virtual time pass, then runs.
  void advance(std::chrono::milliseconds x);

  /// Lets virtual time pass while the actor that calls this is busy; deadlines
  /// that pass are noticed when it has returned.
  void stall(std::chrono::milliseconds x);

  /// Plans what happens to a message.
  void add(message_rule rule);

  /// Forgets planned rules, lets held actors go on.
  void clear_rules();

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

} // namespace troupe::testing
