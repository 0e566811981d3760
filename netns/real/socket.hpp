#pragma once

#include "troupe/config/model/error.hpp"
#include "troupe/netns/real/message.hpp"
#include "troupe/netns/unique_fd.hpp"

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::netns {

/// What the kernel answered to one request.
struct netlink_ack {
  int error = 0;      ///< errno; 0 is success.
  std::string detail; ///< The kernel's own words; mostly empty.

  bool ok() const {
    return error == 0;
  }

  /// The error for callers. @pre `!ok()`
  tl::unexpected<struct error> fail(std::string_view operation) const {
    return troupe::fail(os_failure(error, operation, detail));
  }
};

/// Sends requests to the kernel and waits for the answers. libnl's own
/// functions for that lose the errno and the kernel's explanation.
///
/// - *Namespace*: the one the descriptor was opened in, whoever calls.
/// - *Threads*: one caller at a time.
/// - *Time*: the kernel answers before `send` returns; a receive that still
///   takes 5 s ends as ETIMEDOUT, and a late answer is recognised by its
///   sequence number and dropped.
class netlink_socket {
public:
  /// Calls `socket(2)` in the calling thread's namespace; empty on failure,
  /// with errno.
  static unique_fd open_descriptor(int protocol);

  /// Sets the options we need.
  static result<netlink_socket> adopt(unique_fd fd);

  /// Handles one message of an answer.
  using visitor = std::function<void(const nlmsghdr&)>;

  /// Sends a request that changes something.
  netlink_ack call(netlink_message& request);

  /// Sends requests in one go: nothing can end this process between them.
  /// Each is carried out or refused by itself. @returns their answers.
  std::vector<netlink_ack>
  call_together(std::initializer_list<netlink_message*> requests);

  /// Sends a request that is answered by one message.
  netlink_ack query(netlink_message& request, const visitor& visit);

  /// Sends a request for a list. Visits every object or fails; a dump that a
  /// change interrupted is repeated, after `restart`, 10 times at most, then
  /// fails with EAGAIN.
  netlink_ack dump(netlink_message& request,
                   const std::function<void()>& restart, const visitor& visit);

  /// Sends messages as one transaction of nf_tables: all are carried out or
  /// none. Between them, numbers, flags and the frame are filled in.
  /// @param messages One after the other, aligned.
  /// @param failed Index of the first message that was refused; -1: the
  ///        transaction as a whole.
  netlink_ack transact(std::span<const uint8_t> messages, int& failed);

  /// Lets the kernel leave out of dumps what the request does not ask for, and
  /// refuse what it does not know. Kernels before 4.20 cannot.
  void set_strict(bool on) const;

  int descriptor() const {
    return fd_.get();
  }

private:
  enum class progress : uint8_t { more, done, interrupted };

  explicit netlink_socket(unique_fd fd) : fd_(std::move(fd)) {
  }

  netlink_ack send(netlink_message& request, int extra_flags);

  // Waits for one datagram of ours; calls `handle` for each message in it.
  template <class Handle>
  netlink_ack receive(Handle&& handle);

  netlink_ack
  dump_once(netlink_message& request, const visitor& visit, bool& interrupted);

  unique_fd fd_;
  uint32_t sequence_ = 0;
  uint32_t oldest_ = 0; ///< The first number that is waited for.
};

} // namespace troupe::netns
