#pragma once

#include "troupe/config/model/address.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace troupe::test {

/// Where a socket is: the path of a namespace, empty for the calling thread's.
using place = std::string;

/// Opens a socket in a namespace; it works from any thread. @returns -1 if
/// that fails.
int open_socket(const place& where, int domain, int type, int protocol = 0);

/// One try to reach something.
struct probe {
  enum class kind : uint8_t { tcp, udp, ping };

  place from;
  kind what = kind::tcp;
  ip_address to;
  uint16_t port = 0;

  std::string seen_as; ///< The answer: the client's address as the server saw
                       ///< it; `pong` for ping. Empty: no answer.
};

/// Tries all of them at once, for 600 ms or until all have their answer.
void run(std::vector<probe>& probes);

/// One try.
std::string reach(const place& from, probe::kind what, const ip_address& to,
                  uint16_t port = 0);

/// Servers in several namespaces, in one thread: each tells a client the
/// address that it sees it under, over TCP and UDP, IPv4 and IPv6.
class echo_service {
public:
  echo_service() = default;
  ~echo_service();
  echo_service(const echo_service&) = delete;
  echo_service& operator=(const echo_service&) = delete;

  /// Before `start`.
  void add(const place& where, uint16_t port);

  void start();

  /// Datagrams answered.
  int datagrams() const {
    return datagrams_;
  }

private:
  void serve();
  void serve_one(int fd, bool stream);

  struct server {
    int fd;
    bool stream;
  };
  std::vector<server> servers_;
  std::thread thread_;
  std::atomic<bool> stop_{false};
  std::atomic<int> datagrams_{0};
};

} // namespace troupe::test
