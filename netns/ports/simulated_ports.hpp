#pragma once

#include "troupe/netns/ports/port_proxy.hpp"
#include "troupe/netns/ports/port_sockets.hpp"

#include <cerrno>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <vector>

namespace troupe::netns {

/// The ports of a host, in memory, with the kernel's rules for who is in whose
/// way. Shared by the sockets and the proxy of one test; outlives both.
class simulated_ports {
public:
  /// The calls that can fail.
  enum class call : uint8_t { hold, list, add, remove };

  /// What a call does instead: an errno, and whether it is done all the same.
  struct fault {
    int os_error = 0;
    bool done_though = false;
  };

  /// Addresses of the host besides loopback and the unspecified ones.
  std::set<ip_address> addresses;
  bool has_ipv6 = true;
  bool has_sctp = true;
  port_limits limits{32'768, 60'999, {}};

  /// Asked before each call.
  std::function<fault(call)> on_call;

  /// Another process takes a port.
  void occupy(protocol proto, const ip_address& address, uint16_t port,
              port_user who = {"httpd", 4711, 0});

  /// The other process ends.
  void vacate(protocol proto, const ip_address& address, uint16_t port);

  /// The proxy dies; its ports are free.
  void kill_proxy();

  /// Somebody stops the proxy: it does not answer.
  void stop_proxy() {
    stopped_ = true;
  }

  /// Ports in our sockets and in the proxy, in order, e.g.
  /// `0.0.0.0:8080/tcp`; for comparing before and after.
  std::vector<std::string> held() const;

  /// What the proxy has.
  std::vector<proxy_port> served() const;

  std::unique_ptr<port_sockets> make_sockets();
  std::unique_ptr<port_proxy> make_proxy();

private:
  friend class simulated_sockets;
  friend class simulated_proxy;
  friend class simulated_held_port;
  using place = std::tuple<protocol, uint16_t, ip_address>;

  result<std::shared_ptr<held_port>> hold(std::vector<place> wanted);
  void drop(const proxy_port& gone);
  fault ask(call what) const;
  const place* in_the_way(const place& wanted) const;

  bool stopped_ = false;
  std::map<place, port_user> taken_; // Ours have no name.
  std::vector<std::pair<proxy_port, std::shared_ptr<held_port>>> served_;
};

} // namespace troupe::netns
