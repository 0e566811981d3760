#pragma once

#include "troupe/actors/remote/tls.hpp"
#include "troupe/netns/unique_fd.hpp"

#include <chrono>
#include <memory>
#include <string>

namespace troupe::test {

/// A peer that obeys no protocol: bytes over TCP, or over TLS once it has
/// shaken hands.
class raw_peer {
public:
  /// Connects to the test's `troupe-remote`. @param source address to come
  /// from, e.g. 127.0.0.9.
  explicit raw_peer(const std::string& source = "127.0.0.1");

  bool is_connected() const {
    return static_cast<bool>(socket_);
  }

  /// Shows a certificate. @returns why this failed; empty: it worked, as far as
  /// this side can tell.
  std::string shake_hands(const credentials& who);

  /// Sends bytes. @returns false when the other side has hung up.
  bool send(std::string_view bytes);

  /// Takes up to so many bytes; fewer when the other side hangs up or the time
  /// is over.
  std::string receive(size_t count, std::chrono::milliseconds deadline
                                    = std::chrono::seconds{5});

  /// Does the other side hang up?
  bool is_closed_within(std::chrono::milliseconds deadline);

private:
  netns::unique_fd socket_;
  std::unique_ptr<remote::tls_identity> identity_;
  remote::ssl_session session_;
};

/// A header of CAF's wire protocol.
struct basp_header {
  uint8_t operation = 0;
  uint8_t flags = 0;
  uint32_t payload_bytes = 0;
  uint64_t data = 0;
  uint64_t from = 0;
  uint64_t to = 0;
};

std::string encode(const basp_header& x);

} // namespace troupe::test
