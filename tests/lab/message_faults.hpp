#pragma once

// Private to simulated_daemon.cpp: what happens to messages in mailboxes.

#include "troupe/actors/core/caf.hpp"
#include "troupe/tests/lab/message_rule.hpp"

#include <caf/scheduled_actor.hpp>

#include <chrono>
#include <map>
#include <vector>

namespace troupe::testing {

/// Applies rules to the mailboxes of scheduled actors, just before they run.
class message_faults {
public:
  /// Counts messages from now on.
  void add(message_rule rule);

  /// Forgets rules and holds.
  void clear();

  /// Looks at the next message of an actor that is about to run and does what
  /// the rules say. @returns false if the actor must not run now.
  bool strike(caf::resumable& job, std::chrono::milliseconds now);

  /// Is the actor held by a `delay`?
  bool is_held(caf::resumable& job, std::chrono::milliseconds now) const;

  /// Ends every actor that ever ran.
  void kill_all();

private:
  struct counted_rule {
    message_rule rule;
    unsigned matches = 0;
  };

  bool hits(counted_rule& x, caf::scheduled_actor& receiver,
            const caf::mailbox_element& message);
  bool apply(const message_rule& rule, caf::scheduled_actor& receiver,
             std::chrono::milliseconds now);

  std::vector<counted_rule> rules_;
  std::map<caf::actor_id, std::chrono::milliseconds> held_until_;
  std::map<caf::actor_id, caf::weak_actor_ptr> seen_;
};

} // namespace troupe::testing
