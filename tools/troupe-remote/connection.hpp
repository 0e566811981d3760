#pragma once

#include "troupe/actors/remote/tls_pipe.hpp"
#include "troupe/tools/troupe-remote/frames.hpp"
#include "troupe/tools/troupe-remote/limits.hpp"
#include "troupe/tools/troupe-remote/worker_process.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <poll.h>

namespace troupe::tools::remote {

/// What a connection asks its surroundings.
struct connection_surroundings {
  /// May this peer come in? Called once, after the handshake.
  std::function<bool(const std::string& peer)> admit;

  /// A question of its worker.
  std::function<void(question)> ask;
};

/// One connection. *handshaking*: a stranger, until its certificate is verified
/// or its time is over; *serving*: bytes go between it and its own worker.
/// @thread_safety The loop's thread only.
class connection {
public:
  connection(netns::unique_fd socket, troupe::remote::ssl_session session,
             steady_time handshake_until);
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;
  ~connection();

  /// Adds what is to be polled for.
  void watch(std::vector<pollfd>& into) const;

  /// Does what can be done without waiting. @returns false when it is over.
  bool run(const connection_surroundings& around, steady_time now);

  /// Is its time over: of the handshake, or of the peer's certificate?
  bool is_overdue(steady_time now) const {
    return now >= until_;
  }

  /// Sends an answer to the worker. @returns false when it is over.
  bool reply(const answer& x);

  bool is_stranger() const {
    return peer_.empty();
  }

  /// Subject of the certificate; empty until it was let in.
  const std::string& peer() const {
    return peer_;
  }

  /// Where it comes from.
  const std::string& address() const {
    return address_;
  }

  /// Would it be let in with this identity too? If not, it is over.
  bool is_accepted_by(const troupe::remote::tls_identity& x);

  /// Why it is over, for the log; empty: nothing worth telling.
  const std::string& reason() const {
    return reason_;
  }

private:
  bool shake_hands(const connection_surroundings& around, steady_time now);
  bool let_in(const connection_surroundings& around, steady_time now);
  bool read_channel(const connection_surroundings& around);
  bool write_channel();

  netns::unique_fd socket_;
  troupe::remote::ssl_session session_;
  steady_time until_;
  std::string address_;
  std::string peer_;
  std::string reason_;
  short handshake_wants_ = POLLIN;
  worker_process worker_;
  std::optional<troupe::remote::tls_pipe> pipe_;
  frame_reader frames_{max_question_bytes};
  std::string unsent_;
  size_t sent_ = 0; ///< Of `unsent_`.
};

} // namespace troupe::tools::remote
