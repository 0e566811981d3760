#pragma once

#include "troupe/actors/remote/tls.hpp"
#include "troupe/actors/remote/uri.hpp"
#include "troupe/netns/unique_fd.hpp"

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace troupe::remote {

/// The `os_error` of an attempt that may succeed a moment later.
inline constexpr int is_busy = EAGAIN;

/// What a link reports; called on its thread.
struct link_events {
  /// There is a connection: the other side's bytes, decrypted. Their first
  /// ones, the greeting, were looked at and are still in it.
  /// @param attempt for `disconnect`.
  std::function<void(netns::unique_fd plain, uint64_t attempt)> up;

  /// There is none: an attempt failed (`was_up` false), or it broke.
  std::function<void(const error& why, bool was_up)> down;
};

/// The client's connection to a `troupe-remote`: makes it when it is wanted and
/// carries its bytes, on a thread of its own.
/// @thread_safety All methods may be called from any thread but the link's.
class link {
public:
  /// @param check_greeting judges the first `greeting_bytes` bytes.
  link(host_port where, tls_identity identity, size_t greeting_bytes,
       result<void> (*check_greeting)(std::string_view), link_events events);
  link(const link&) = delete;
  link& operator=(const link&) = delete;
  ~link();

  /// Asks for a connection; exactly one of `up` and `down` follows. While there
  /// is one, the next is made after it. Between attempts it pauses, longer each
  /// time up to 1 s.
  void connect();

  /// Ends a connection, if it is still the one of this attempt.
  void disconnect(uint64_t attempt);

private:
  void run();
  void serve_once();
  result<ssl_session> shake_hands(int socket);
  result<std::string> read_greeting(SSL* session, int socket);
  void carry(SSL* session, int socket, const std::string& greeting);
  result<void> wait(int fd, short events);
  void pause();
  error broken(const std::string& why) const;

  host_port where_;
  tls_identity identity_;
  size_t greeting_bytes_;
  result<void> (*check_greeting_)(std::string_view);
  link_events events_;
  netns::unique_fd wake_;
  std::chrono::steady_clock::time_point until_; ///< Of this attempt.
  std::chrono::milliseconds next_pause_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
  bool wanted_ = false;
  std::atomic<bool> stopping_ = false;
  std::atomic<uint64_t> attempt_ = 0;
  std::thread thread_;
};

} // namespace troupe::remote
