#pragma once

#include "troupe/actors/api/backend.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace troupe::remote {

/// The open requests of a client: which are to be sent, sent again, or given
/// up. Knows nothing of how they are sent.
///
/// A request is *fresh* until it was sent, then *sent* in a session. When the
/// connection breaks it is sent again on the next one, if the other side still
/// has the session's memory or the request changes nothing; else its outcome is
/// unknown and said to be so.
/// @thread_safety One thread at a time.
class call_table {
public:
  using time_point = std::chrono::steady_clock::time_point;

  /// Open requests of one client; the other side lets a peer have 64.
  static constexpr size_t max_open = 1'024;

  struct call {
    request what;
    time_point deadline;
    std::chrono::milliseconds allowed{0}; ///< For the message.
    reply_handler handler;
    uint64_t session = 0;    ///< In which it was sent; 0: fresh.
    uint64_t generation = 0; ///< Of the connection it was sent on last.
  };

  /// Takes a request in. @returns its sequence; 0: too many are open, and the
  /// handler was called.
  uint64_t add(request what, std::chrono::milliseconds allowed,
               reply_handler handler, time_point now);

  /// The open call of a sequence; null: it is over.
  call* find(uint64_t sequence);

  /// Ends a call. Does nothing when it is over already.
  void finish(uint64_t sequence, result<reply> outcome);

  /// A connection is there. @returns what is to be sent now, oldest first.
  std::vector<uint64_t> connected(uint64_t session);

  /// An attempt to connect failed, or the connection broke. Fresh calls end
  /// with the error when an attempt failed; all of them when trying again is
  /// useless. @returns true if a connection is still wanted.
  bool disconnected(const error& why, bool was_up);

  /// Ends what is overdue with `timeout`.
  void expire(time_point now);

  /// Ends everything with the error.
  void abandon(const error& why);

  /// Sequences that are over and not yet told; each ticket carries them. They
  /// come again if the connection breaks before that ticket is answered.
  std::vector<uint64_t> take_answered(uint64_t sequence);

  bool is_empty() const {
    return calls_.empty();
  }

private:
  std::map<uint64_t, call> calls_;
  uint64_t last_sequence_ = 0;
  std::vector<uint64_t> answered_;
  std::map<uint64_t, std::vector<uint64_t>> told_; ///< By carrying sequence.
};

/// Does it change something, so that sending it twice could matter?
bool is_mutation(const request& what);

/// Its name, e.g. `create_network`; for messages.
std::string operation_of(const request& what);

} // namespace troupe::remote
