#pragma once

#include "troupe/actors/remote/tls.hpp"

#include <array>
#include <memory>
#include <string>

namespace troupe::remote {

/// Moves bytes between a TLS connection and a plain socket, both ways. Holds at
/// most one record of each way, so that a slow reader slows its writer down and
/// nothing grows.
/// @thread_safety One thread at a time.
class tls_pipe {
public:
  /// @param session after its handshake. @param plain connected, non-blocking;
  /// both stay the caller's.
  tls_pipe(SSL* session, int plain);

  /// What to poll for.
  struct interest {
    short socket = 0;
    short plain = 0;
  };
  interest wanted() const;

  /// Moves what can be moved without waiting. @returns false when one of the
  /// two has ended.
  bool run();

  /// Why it ended; empty: the plain side did.
  const std::string& reason() const {
    return reason_;
  }

  /// Bytes that came out of the TLS connection and are still here.
  bool has_input() const {
    return in_.used < in_.filled;
  }

private:
  /// The largest plain text of one TLS record.
  static constexpr size_t record_bytes = 16'384;

  struct buffer {
    std::array<char, record_bytes> bytes;
    size_t used = 0;
    size_t filled = 0;

    bool is_empty() const {
      return used == filled;
    }
  };

  enum class step : uint8_t { moved, blocked, ended };

  step receive(); ///< From TLS.
  step deliver(); ///< To the plain socket.
  step collect(); ///< From the plain socket.
  step send();    ///< To TLS.
  step blocked_or_ended(int returned, short& wants);

  SSL* session_;
  int plain_;
  std::unique_ptr<buffer> in_storage_;
  buffer& in_;
  std::unique_ptr<buffer> out_storage_;
  buffer& out_;
  short reading_wants_ = 0; ///< What TLS waits for to go on reading.
  short writing_wants_ = 0;
  std::string reason_;
};

} // namespace troupe::remote
