#include "troupe/actors/remote/tcp.hpp"

#include "troupe/config/model/id.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

namespace troupe::remote {

namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

/// Connections the kernel keeps until they are accepted.
constexpr int backlog = 64;

using address_list = std::unique_ptr<addrinfo, decltype([](addrinfo* x) {
                                       ::freeaddrinfo(x);
                                     })>;

result<address_list>
look_up(const host_port& where, int flags, std::string_view operation) {
  auto hints = addrinfo{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  auto number = ::getaddrinfo(
    where.host.c_str(), std::to_string(where.port).c_str(), &hints, &found);
  if (number == 0)
    return address_list{found};
  auto reason
    = number == EAI_SYSTEM ? std::strerror(errno) : ::gai_strerror(number);
  // A number, so that it counts as not reached.
  return fail(error{ec::unavailable, std::string{operation} + ": " + reason,
                    "is the name right?", EHOSTUNREACH});
}

// @returns 0 or an errno.
int wait_connected(int fd, clock::time_point until, int wake) {
  for (;;) {
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
      until - clock::now());
    if (left <= 0ms)
      return ETIMEDOUT;
    auto polls = std::array{pollfd{fd, POLLOUT, 0}, pollfd{wake, POLLIN, 0}};
    auto ready
      = ::poll(polls.data(), polls.size(), static_cast<int>(left.count()));
    if (ready < 0 && errno != EINTR)
      return errno;
    if (ready > 0 && polls[1].revents != 0)
      return ECANCELED;
    if (ready > 0 && polls[0].revents != 0)
      break;
  }
  auto number = 0;
  auto size = socklen_t{sizeof(number)};
  if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &size) != 0)
    return errno;
  return number;
}

int connect_one(const addrinfo& x, clock::time_point until, int wake,
                netns::unique_fd& into) {
  into = netns::unique_fd{
    ::socket(x.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (!into)
    return errno;
  if (::connect(into.get(), x.ai_addr, x.ai_addrlen) == 0)
    return 0;
  return errno == EINPROGRESS ? wait_connected(into.get(), until, wake) : errno;
}

void set(int socket, int level, int name, int value) {
  (void)::setsockopt(socket, level, name, &value, sizeof(value));
}

} // namespace

result<netns::unique_fd>
connect_tcp(const host_port& where, std::chrono::milliseconds deadline,
            int wake) {
  auto until = clock::now() + deadline;
  auto operation = "connect to " + to_string(where);
  auto addresses = look_up(where, AI_ADDRCONFIG, operation);
  if (!addresses)
    return fail(std::move(addresses.error()));
  auto number = 0;
  for (const auto* x = addresses->get(); x != nullptr; x = x->ai_next) {
    auto result = netns::unique_fd{};
    number = connect_one(*x, until, wake, result);
    if (number == 0) {
      tune(result.get());
      return result;
    }
  }
  auto why = os_failure(number, operation);
  why.code = ec::unavailable;
  why.hint = number == ECONNREFUSED ? "is troupe-remote running there?"
                                    : "is the host up, and its firewall open?";
  return fail(std::move(why));
}

result<netns::unique_fd> listen_tcp(const host_port& where) {
  auto operation = "listen on " + to_string(where);
  auto addresses = look_up(where, AI_PASSIVE, operation);
  if (!addresses)
    return fail(std::move(addresses.error()));
  const auto& x = **addresses;
  if (x.ai_next != nullptr)
    return fail(ec::invalid_argument,
                operation + ": the name has several addresses",
                "give the one address to listen on");
  auto result = netns::unique_fd{
    ::socket(x.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (!result)
    return fail(os_failure(errno, operation));
  // A restart needs not wait for old connections to be forgotten.
  set(result.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  if (x.ai_family == AF_INET6)
    set(result.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1);
  if (::bind(result.get(), x.ai_addr, x.ai_addrlen) != 0
      || ::listen(result.get(), backlog) != 0)
    return fail(os_failure(errno, operation));
  return result;
}

uint16_t port_of(int listener) {
  auto x = sockaddr_storage{};
  auto size = socklen_t{sizeof(x)};
  (void)::getsockname(listener, reinterpret_cast<sockaddr*>(&x), &size);
  auto v6 = sockaddr_in6{};
  std::memcpy(&v6, &x, sizeof(v6));
  // The port is at the same place in both families.
  return ntohs(v6.sin6_port);
}

std::string peer_address(int socket) {
  auto x = sockaddr_storage{};
  auto size = socklen_t{sizeof(x)};
  auto text = std::array<char, NI_MAXHOST>{};
  if (::getpeername(socket, reinterpret_cast<sockaddr*>(&x), &size) != 0
      || ::getnameinfo(reinterpret_cast<sockaddr*>(&x), size, text.data(),
                       text.size(), nullptr, 0, NI_NUMERICHOST)
           != 0)
    return "unknown";
  return text.data();
}

void tune(int socket) {
  set(socket, IPPROTO_TCP, TCP_NODELAY, 1);
  set(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
  set(socket, IPPROTO_TCP, TCP_KEEPIDLE, 10);
  set(socket, IPPROTO_TCP, TCP_KEEPINTVL, 5);
  set(socket, IPPROTO_TCP, TCP_KEEPCNT, 3);
  set(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, 20'000);
}

} // namespace troupe::remote
