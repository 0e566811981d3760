#include "traffic.hpp"

#include "troupe/netns/real/namespace.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <span>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace troupe::test {

namespace {

using clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr auto longest = 600ms;
constexpr auto again_after = 150ms;

sockaddr_storage
to_socket_address(const ip_address& x, uint16_t port, socklen_t& size) {
  auto result = sockaddr_storage{};
  if (x.is_v4()) {
    auto* out = reinterpret_cast<sockaddr_in*>(&result);
    out->sin_family = AF_INET;
    out->sin_port = htons(port);
    std::memcpy(&out->sin_addr, x.bytes().data(), 4);
    size = sizeof *out;
  } else {
    auto* out = reinterpret_cast<sockaddr_in6*>(&result);
    out->sin6_family = AF_INET6;
    out->sin6_port = htons(port);
    std::memcpy(&out->sin6_addr, x.bytes().data(), 16);
    size = sizeof *out;
  }
  return result;
}

std::string text_of(const sockaddr_in6& x) {
  auto text = std::array<char, INET6_ADDRSTRLEN>{};
  inet_ntop(AF_INET6, &x.sin6_addr, text.data(), text.size());
  auto result = std::string{text.data()};
  if (result.starts_with("::ffff:"))
    result.erase(0, 7);
  return result;
}

// A probe on its way.
struct flight {
  probe* of;
  int fd = -1;

  void start() {
    auto family = of->to.is_v4() ? AF_INET : AF_INET6;
    auto socket_type = SOCK_STREAM;
    auto protocol = 0;
    if (of->what == probe::kind::udp)
      socket_type = SOCK_DGRAM;
    if (of->what == probe::kind::ping) {
      socket_type = SOCK_RAW;
      protocol = of->to.is_v4() ? int{IPPROTO_ICMP} : int{IPPROTO_ICMPV6};
    }
    fd = open_socket(of->from, family, socket_type | SOCK_NONBLOCK, protocol);
    ASSERT_GE(fd, 0);
    auto size = socklen_t{};
    auto address = to_socket_address(of->to, of->port, size);
    // "Network is unreachable" is an answer to the question, too.
    static_cast<void>(connect(fd, reinterpret_cast<sockaddr*>(&address), size));
    send_again();
  }

  void send_again() const {
    if (of->what == probe::kind::udp)
      static_cast<void>(send(fd, "?", 1, MSG_NOSIGNAL));
    if (of->what != probe::kind::ping)
      return;
    auto echo = std::array<uint8_t, 16>{};
    echo[0] = of->to.is_v4() ? ICMP_ECHO : ICMP6_ECHO_REQUEST;
    echo[4] = 0x7a;
    // The kernel fills in the checksum for IPv6 only.
    auto sum = ~(uint16_t{ICMP_ECHO << 8U} + 0x7a00) & 0xffff;
    if (of->to.is_v4()) {
      echo[2] = static_cast<uint8_t>(sum >> 8);
      echo[3] = static_cast<uint8_t>(sum);
    }
    static_cast<void>(send(fd, echo.data(), echo.size(), MSG_NOSIGNAL));
  }

  void receive() const {
    auto buffer = std::array<char, 256>{};
    auto size = recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (size <= 0)
      return;
    if (of->what != probe::kind::ping) {
      of->seen_as.assign(buffer.data(), static_cast<size_t>(size));
      return;
    }
    // IPv4 comes with its header.
    auto* icmp = buffer.data() + (of->to.is_v4() ? 20 : 0);
    if (icmp[0]
          == (of->to.is_v4() ? char{ICMP_ECHOREPLY}
                             : static_cast<char>(ICMP6_ECHO_REPLY))
        && icmp[4] == 0x7a)
      of->seen_as = "pong";
  }
};

bool wait_for_answers(std::span<flight> flights, clock::duration time) {
  auto until = clock::now() + time;
  for (;;) {
    auto polled = std::vector<pollfd>{};
    auto waiting = std::vector<flight*>{};
    for (auto& x : flights)
      if (x.of->seen_as.empty()) {
        polled.push_back({x.fd, POLLIN, 0});
        waiting.push_back(&x);
      }
    auto left
      = std::chrono::ceil<std::chrono::milliseconds>(until - clock::now());
    if (polled.empty() || left <= 0ms)
      return polled.empty();
    poll(polled.data(), polled.size(),
         static_cast<int>(std::min<int64_t>(left.count(), 20)));
    for (auto* x : waiting)
      x->receive();
  }
}

} // namespace

int open_socket(const place& where, int domain, int type, int protocol) {
  auto make = [&] {
    return ::socket(domain, type | SOCK_CLOEXEC, protocol);
  };
  if (where.empty())
    return make();
  auto ns = netns::unique_fd{::open(where.c_str(), O_RDONLY | O_CLOEXEC)};
  auto result = -1;
  auto opened = netns::open_in(
    ns.get(),
    [&] {
      result = make();
      return netns::unique_fd{::dup(result)};
    },
    "open socket");
  EXPECT_TRUE(opened);
  return result;
}

void run(std::vector<probe>& probes) {
  auto flights = std::vector<flight>{};
  for (auto& x : probes)
    flights.push_back({&x, -1});
  for (auto& x : flights)
    x.start();
  auto until = clock::now() + longest;
  while (!wait_for_answers(flights, again_after) && clock::now() < until)
    for (auto& x : flights)
      if (x.of->seen_as.empty())
        x.send_again();
  for (auto& x : flights)
    close(x.fd);
}

std::string reach(const place& from, probe::kind what, const ip_address& to,
                  uint16_t port) {
  auto one = std::vector<probe>{{from, what, to, port, {}}};
  run(one);
  return one[0].seen_as;
}

echo_service::~echo_service() {
  stop_ = true;
  if (thread_.joinable())
    thread_.join();
  for (const auto& x : servers_)
    close(x.fd);
}

void echo_service::add(const place& where, uint16_t port) {
  for (auto stream : {true, false}) {
    auto fd = open_socket(where, AF_INET6,
                          (stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK);
    ASSERT_GE(fd, 0);
    auto off = 0;
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    auto address = sockaddr_in6{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(port);
    ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address),
              0)
      << std::strerror(errno);
    ASSERT_EQ(stream ? listen(fd, 1024) : 0, 0);
    servers_.push_back({fd, stream});
  }
}

void echo_service::start() {
  thread_ = std::thread{[this] {
    serve();
  }};
}

void echo_service::serve() {
  while (!stop_) {
    auto polled = std::vector<pollfd>{};
    for (const auto& x : servers_)
      polled.push_back({x.fd, POLLIN, 0});
    if (poll(polled.data(), polled.size(), 20) <= 0)
      continue;
    for (size_t i = 0; i < polled.size(); ++i)
      if (polled[i].revents != 0)
        serve_one(servers_[i].fd, servers_[i].stream);
  }
}

void echo_service::serve_one(int fd, bool stream) {
  auto peer = sockaddr_in6{};
  auto size = socklen_t{sizeof peer};
  auto* plain = reinterpret_cast<sockaddr*>(&peer);
  if (stream) {
    auto client = accept4(fd, plain, &size, SOCK_CLOEXEC);
    if (client < 0)
      return;
    auto text = text_of(peer);
    static_cast<void>(send(client, text.data(), text.size(), MSG_NOSIGNAL));
    close(client);
    return;
  }
  auto buffer = std::array<char, 64>{};
  if (recvfrom(fd, buffer.data(), buffer.size(), 0, plain, &size) < 0)
    return;
  auto text = text_of(peer);
  ++datagrams_;
  static_cast<void>(sendto(fd, text.data(), text.size(), 0, plain, size));
}

} // namespace troupe::test
