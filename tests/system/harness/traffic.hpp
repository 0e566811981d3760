#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

namespace troupe::test {

/// What a stream of numbered packets has come to.
struct traffic_report {
  uint64_t sent = 0;
  uint64_t refused = 0; ///< Not even sent, e.g. because a link was down.
  uint64_t received = 0;
  uint64_t duplicates = 0;
  std::vector<uint64_t> lost; ///< The first hundred numbers.

  bool is_complete() const {
    return sent > 0 && refused == 0 && received == sent && duplicates == 0;
  }
  std::string text() const;
};

/// Sends one numbered UDP packet per millisecond from one namespace to an
/// address in another, until it is stopped. Sockets keep the namespace they
/// were opened in, so no process needs to live in there.
class traffic {
public:
  /// @param from, to paths of pinned namespaces.
  /// @param address IPv4 or IPv6 text, without length.
  traffic(const std::string& from, const std::string& to,
          const std::string& address);
  ~traffic();
  traffic(const traffic&) = delete;
  traffic& operator=(const traffic&) = delete;

  /// Why it could not be set up; empty if it runs.
  const std::string& refusal() const {
    return refusal_;
  }

  /// Stops sending, waits for what is under way, and counts.
  traffic_report stop();

private:
  std::string open_sockets(const std::string& from, const std::string& to,
                           const std::string& address);
  bool warm_up() const;
  void send_all();
  void receive_all();

  std::string refusal_;
  int out_ = -1;
  int in_ = -1;
  std::atomic<bool> sending_ = true;
  std::atomic<bool> receiving_ = true;
  uint64_t sent_ = 0;
  uint64_t refused_ = 0;
  std::vector<uint64_t> seen_;
  std::thread sender_;
  std::thread receiver_;
};

} // namespace troupe::test
