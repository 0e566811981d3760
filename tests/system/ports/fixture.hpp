#pragma once

#include "troupe/drivers/publish/port_book.hpp"
#include "troupe/netns/ports/proxy_client.hpp"
#include "troupe/netns/ports/socket_address.hpp"
#include "troupe/netns/unique_fd.hpp"
#include "troupe/tests/fixtures/addresses.hpp"
#include "troupe/tests/fixtures/scratch.hpp"
#include "troupe/tests/fixtures/slowness.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace troupe::test {

using netns::socket_address;
using netns::unique_fd;

/// A host with addresses for containers on its loopback interface; the proxy
/// reaches them as it would reach real ones.
class ports_test : public scratch_test {
protected:
  void SetUp() override {
    scratch_test::SetUp();
    if (IsSkipped())
      return;
    for (auto command :
         {"ip link set lo up", "ip addr add 172.19.0.2/32 dev lo",
          "ip addr add fd00:19::2/128 dev lo nodad",
          "ip addr add 10.0.0.1/32 dev lo"})
      ASSERT_EQ(std::system(command), 0) << command;
    settings.run_dir = run_dir();
    settings.program = TROUPE_PROXY;
    settings.idle_s = 1; // Nothing is left behind by a test that fails.
  }

  void TearDown() override {
    if (IsSkipped())
      return;
    if (auto pid = proxy_pid(); pid > 0)
      ::kill(pid, SIGKILL);
  }

  /// The process behind the control socket; 0 if there is none.
  pid_t proxy_pid() {
    auto fd = connect_control();
    auto peer = ucred{};
    auto size = socklen_t{sizeof(peer)};
    if (!fd
        || ::getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
      return 0;
    return peer.pid;
  }

  unique_fd connect_control() {
    auto path = run_dir() + "/proxy.sock";
    auto where = sockaddr_un{};
    where.sun_family = AF_UNIX;
    path.copy(where.sun_path, sizeof(where.sun_path) - 1);
    auto fd = unique_fd{::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)};
    if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&where), sizeof(where))
        != 0)
      return {};
    return fd;
  }

  /// Holds a host port and gives it to the proxy.
  result<void>
  publish(netns::port_proxy& proxy, protocol proto, const std::string& host,
          uint16_t port, const std::string& target, uint16_t target_port) {
    auto socket = sockets->hold(proto, ip(host), port);
    if (!socket)
      return fail(std::move(socket.error()));
    auto what = netns::proxy_port{proto, ip(host), port, {}, 0};
    if (!target.empty()) {
      what.target = ip(target);
      what.target_port = target_port;
    }
    return proxy.add({&what, 1}, {&*socket, 1});
  }

  /// A line of /proc/PID/status; empty: there is none.
  static std::string status_of(pid_t pid, const std::string& field) {
    auto file = std::ifstream{"/proc/" + std::to_string(pid) + "/status"};
    auto line = std::string{};
    while (std::getline(file, line))
      if (line.rfind(field + ":", 0) == 0)
        return line.substr(std::min(
          line.find_first_not_of(" \t", field.size() + 1), line.size()));
    return {};
  }

  static bool is_gone(pid_t pid) {
    auto state = status_of(pid, "State");
    return state.empty() || state.front() == 'Z';
  }

  netns::proxy_settings settings;
  std::unique_ptr<netns::port_sockets> sockets = netns::make_port_sockets();
};

/// A socket with time-outs, so that no test waits for ever.
inline unique_fd make_socket(const std::string& address, int type) {
  auto family = ip(address).is_v6() ? AF_INET6 : AF_INET;
  auto fd = unique_fd{::socket(family, type | SOCK_CLOEXEC, 0)};
  auto patience = timeval{5, 0};
  for (auto option : {SO_RCVTIMEO, SO_SNDTIMEO})
    ::setsockopt(fd.get(), SOL_SOCKET, option, &patience, sizeof(patience));
  return fd;
}

/// Errors leave errno.
inline unique_fd
dial(const std::string& address, uint16_t port, int type = SOCK_STREAM) {
  auto fd = make_socket(address, type);
  auto where = socket_address{ip(address), port};
  if (::connect(fd.get(), where.data(), where.size()) != 0)
    return {};
  return fd;
}

inline bool send_all(int fd, std::string_view text) {
  while (!text.empty()) {
    auto n = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (n <= 0)
      return false;
    text.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

/// Up to the peer's half-close.
inline std::string read_all(int fd) {
  auto result = std::string{};
  auto buffer = std::vector<char>(65'536);
  while (true) {
    auto n = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (n <= 0)
      return result;
    result.append(buffer.data(), static_cast<size_t>(n));
  }
}

inline std::string read_some(int fd) {
  auto buffer = std::vector<char>(65'536);
  auto n = ::recv(fd, buffer.data(), buffer.size(), 0);
  return n > 0 ? std::string(buffer.data(), static_cast<size_t>(n))
               : std::string{};
}

/// Serves each connection in a thread, until it is destroyed.
class tcp_server {
public:
  using handler = std::function<void(int)>;

  tcp_server(const std::string& address, uint16_t port, handler serve)
    : listener_{make_socket(address, SOCK_STREAM)}, serve_{std::move(serve)} {
    auto on = 1;
    ::setsockopt(listener_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    auto where = socket_address{ip(address), port};
    EXPECT_EQ(::bind(listener_.get(), where.data(), where.size()), 0);
    EXPECT_EQ(::listen(listener_.get(), 1'024), 0);
    thread_ = std::thread{[this] {
      run();
    }};
  }
  tcp_server(const tcp_server&) = delete;
  tcp_server& operator=(const tcp_server&) = delete;

  ~tcp_server() {
    stop_ = true;
    thread_.join();
    for (auto& x : workers_)
      x.join();
  }

private:
  void run() {
    while (!stop_) {
      auto waiting = pollfd{listener_.get(), POLLIN, 0};
      if (::poll(&waiting, 1, 20) <= 0)
        continue;
      auto fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0)
        continue;
      auto patience = timeval{5, 0};
      ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
      workers_.emplace_back([this, fd] {
        auto owned = unique_fd{fd};
        serve_(fd);
      });
    }
  }

  unique_fd listener_;
  handler serve_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
  std::vector<std::thread> workers_;
};

/// Sends everything back, up to the half-close.
inline void echo(int fd) {
  auto buffer = std::vector<char>(65'536);
  while (true) {
    auto n = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (n <= 0)
      break;
    if (!send_all(fd, {buffer.data(), static_cast<size_t>(n)}))
      break;
  }
  ::shutdown(fd, SHUT_WR);
}

/// Waits until something is true, at most so long.
inline bool eventually(const std::function<bool()>& check,
                       std::chrono::milliseconds patience
                       = std::chrono::milliseconds{5'000}) {
  auto end = std::chrono::steady_clock::now() + patient(patience);
  while (!check()) {
    if (std::chrono::steady_clock::now() > end)
      return false;
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
  }
  return true;
}

} // namespace troupe::test
