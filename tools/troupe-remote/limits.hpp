#pragma once

#include <chrono>
#include <cstddef>

namespace troupe::tools::remote {

using steady_time = std::chrono::steady_clock::time_point;

/// Allows a burst, and a steady rate after it.
class token_bucket {
public:
  /// @param per_second how fast it fills; @param burst how much it holds. Full
  /// at first.
  token_bucket(double per_second, double burst, steady_time now)
    : per_second_{per_second}, burst_{burst}, tokens_{burst}, last_{now} {
  }

  /// Takes one token. @returns false if there is none.
  bool take(steady_time now) {
    auto passed = std::chrono::duration<double>(now - last_).count();
    if (passed > 0) {
      tokens_ = tokens_ + passed * per_second_;
      tokens_ = tokens_ < burst_ ? tokens_ : burst_;
      last_ = now;
    }
    if (tokens_ < 1)
      return false;
    tokens_ -= 1;
    return true;
  }

private:
  double per_second_;
  double burst_;
  double tokens_;
  steady_time last_;
};

/// What one peer, a subject of certificates, may use; over all its connections.
struct peer_limits {
  /// Requests; more wait for their turn. A client that asks one thing after the
  /// other stays below.
  double requests_per_second = 500;
  double request_burst = 1'000;

  /// Requests that wait or are carried out; more are refused. A small part of
  /// the daemon's own 1 024.
  size_t open_requests = 64;

  /// Connections at once; a program needs one.
  size_t connections = 8;

  /// New connections; each starts a process, some 20 ms of a processor. Each
  /// run of the command line needs one.
  double connections_per_second = 10;
  double connection_burst = 50;
};

/// What strangers may use before they have shown a certificate.
struct stranger_limits {
  /// Connections in all, peers included: three descriptors and a process of
  /// some 2 MiB each.
  size_t connections = 64;

  /// Handshakes under way from one address, and in all: most of the time there
  /// is none.
  size_t handshakes_per_address = 8;
  size_t handshakes = 32;

  /// A handshake takes a few round trips; a peer at the end of the world has
  /// 0.3 s for each.
  std::chrono::milliseconds handshake_time{5'000};

  /// Handshakes begun, of everybody together: one costs some 2 ms of a
  /// processor.
  double handshakes_per_second = 50;
  double handshake_burst = 100;
};

} // namespace troupe::tools::remote
