#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

namespace troupe::testing {

/// What happens to a message between two actors, and to which one. Messages
/// that an actor sends to itself, or without waiting for a reply, are not
/// counted: nothing would notice their loss but the daemon's next start.
struct message_rule {
  enum class effect : uint8_t {
    drop,       ///< The request is not handled: its deadline passes.
    lose_reply, ///< The request is handled, its reply does not arrive.
    delay,      ///< The receiver does nothing for `delay` of virtual time.
    reorder,    ///< It is handled after what other actors sent later.
    kill,       ///< The receiver ends before it handles the message.
  };

  effect what = effect::drop;
  std::string receiver; ///< Who is asked, e.g. `store`; empty: any actor.
  unsigned nth = 0;     ///< Which matching message, from 0, is hit; once.
  std::chrono::milliseconds delay{0}; ///< For `delay`.
  std::function<void()> on_hit = {};
};

} // namespace troupe::testing
