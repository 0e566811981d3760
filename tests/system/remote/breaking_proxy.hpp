#pragma once

#include "troupe/netns/unique_fd.hpp"

#include <atomic>
#include <mutex>
#include <thread>

namespace troupe::test {

/// A network between client and `troupe-remote` that can break: passes bytes
/// between its own port and the real one.
class breaking_proxy {
public:
  /// Where clients connect, on 127.0.0.1.
  static constexpr uint16_t port = 7'999;

  breaking_proxy();
  breaking_proxy(const breaking_proxy&) = delete;
  breaking_proxy& operator=(const breaking_proxy&) = delete;
  ~breaking_proxy();

  /// Resets all connections.
  void cut();

  /// Passes nothing on, in neither direction, as if a cable were out.
  /// Has its effect when it returns.
  void hold(bool on);

  /// Connections made so far.
  int count() const {
    return count_;
  }

private:
  void run();

  netns::unique_fd listener_;
  std::atomic<bool> stopping_ = false;
  std::atomic<bool> cutting_ = false;
  std::atomic<bool> held_ = false;
  std::atomic<int> count_ = 0;
  std::atomic<int> rounds_ = 0;
  std::thread thread_;
};

} // namespace troupe::test
