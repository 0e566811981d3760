#include "troupe/netns/audit/path_probe.hpp"

#include "troupe/netns/unique_fd.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <thread>

#include <fcntl.h>
#include <linux/errqueue.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <system_error>

namespace troupe::netns {

namespace {

using clock = std::chrono::steady_clock;

// Ways at once, each with up to two sockets.
constexpr auto most_at_once = size_t{100};

// Nobody's port: whether somebody is there is all that is asked.
constexpr auto nobodys_port = uint16_t{1};

constexpr auto echo_id = uint16_t{0x7472};

// Whoever is there may drop one kind of packets, and be there.
struct probe {
  ip_address to;
  unique_fd tcp;
  unique_fd echo;      // None: it was not asked for, or is not allowed.
  std::string failure; // Empty while it waits, and once it was answered.
  bool waits = false;
};

std::string text_of(int number) {
  return std::error_code{number, std::generic_category()}.message();
}

bool is_answer(int number) {
  return number == 0 || number == ECONNREFUSED || number == ECONNRESET;
}

union any_address {
  sockaddr any;
  sockaddr_in v4;
  sockaddr_in6 v6;
};

any_address
to_socket_address(const ip_address& x, uint16_t port, socklen_t& length) {
  auto result = any_address{};
  if (x.is_v4()) {
    result.v4.sin_family = AF_INET;
    result.v4.sin_port = htons(port);
    std::memcpy(&result.v4.sin_addr, x.bytes().data(),
                sizeof result.v4.sin_addr);
    length = sizeof result.v4;
  } else {
    result.v6 = {};
    result.v6.sin6_family = AF_INET6;
    result.v6.sin6_port = htons(port);
    std::memcpy(&result.v6.sin6_addr, x.bytes().data(),
                sizeof result.v6.sin6_addr);
    length = sizeof result.v6;
  }
  return result;
}

// Did the error come from the one who was asked? A firewall that rejects
// answers, too.
bool came_from(int socket, const ip_address& to) {
  alignas(cmsghdr) auto control = std::array<char, 512>{};
  auto header = msghdr{};
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  if (::recvmsg(socket, &header, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
    return false;
  for (auto* x = CMSG_FIRSTHDR(&header); x != nullptr;
       x = CMSG_NXTHDR(&header, x)) {
    auto is_error
      = (x->cmsg_level == IPPROTO_IP && x->cmsg_type == IP_RECVERR)
        || (x->cmsg_level == IPPROTO_IPV6 && x->cmsg_type == IPV6_RECVERR);
    if (!is_error)
      continue;
    const auto* why = reinterpret_cast<const sock_extended_err*>(CMSG_DATA(x));
    const auto* offender = SO_EE_OFFENDER(why);
    auto length = socklen_t{};
    const auto wanted = to_socket_address(to, 0, length);
    if (offender->sa_family != wanted.any.sa_family)
      continue;
    if (to.is_v4()
        && std::memcmp(
             &reinterpret_cast<const sockaddr_in*>(offender)->sin_addr,
             &wanted.v4.sin_addr, sizeof wanted.v4.sin_addr)
             == 0)
      return true;
    if (to.is_v6()
        && std::memcmp(
             &reinterpret_cast<const sockaddr_in6*>(offender)->sin6_addr,
             &wanted.v6.sin6_addr, sizeof wanted.v6.sin6_addr)
             == 0)
      return true;
  }
  return false;
}

void settle(probe& x, int number) {
  auto answered = is_answer(number) || (x.tcp && came_from(x.tcp.get(), x.to));
  x.tcp = unique_fd{};
  // What TCP met with the echo may not.
  x.failure = answered ? std::string{} : text_of(number);
  x.waits = !answered && x.echo;
  if (answered)
    x.echo = unique_fd{};
}

uint16_t checksum_of(const icmphdr& x) {
  auto words = std::array<uint16_t, sizeof x / 2>{};
  std::memcpy(words.data(), &x, sizeof x);
  auto sum = uint32_t{0};
  for (auto word : words)
    sum += word;
  sum = (sum & 0xffffU) + (sum >> 16U);
  return static_cast<uint16_t>(~(sum + (sum >> 16U)));
}

// In the namespace of the calling thread.
unique_fd send_echo(const ip_address& to) {
  auto length = socklen_t{};
  const auto there = to_socket_address(to, 0, length);
  auto fd = unique_fd{
    ::socket(there.any.sa_family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
             to.is_v4() ? int{IPPROTO_ICMP} : int{IPPROTO_ICMPV6})};
  if (!fd || ::connect(fd.get(), &there.any, length) != 0)
    return {};
  auto v4 = icmphdr{};
  v4.type = ICMP_ECHO;
  v4.un.echo.id = htons(echo_id);
  v4.checksum = checksum_of(v4);
  auto v6 = icmp6_hdr{};
  v6.icmp6_type = ICMP6_ECHO_REQUEST;
  v6.icmp6_id = htons(echo_id);
  auto sent = to.is_v4() ? ::send(fd.get(), &v4, sizeof v4, 0)
                         : ::send(fd.get(), &v6, sizeof v6, 0);
  return sent < 0 ? unique_fd{} : std::move(fd);
}

// Is the reply among what has come?
bool has_reply(int socket, const ip_address& from) {
  auto packet = std::array<uint8_t, 512>{};
  for (;;) {
    auto size = ::recv(socket, packet.data(), packet.size(), MSG_DONTWAIT);
    if (size < 0)
      return false;
    auto at = from.is_v4() ? size_t{packet[0] & 0x0fU} * 4 : size_t{0};
    auto wanted = from.is_v4() ? int{ICMP_ECHOREPLY} : int{ICMP6_ECHO_REPLY};
    if (static_cast<size_t>(size) < at + sizeof(icmphdr))
      continue;
    auto id = uint16_t{};
    std::memcpy(&id, packet.data() + at + offsetof(icmphdr, un), sizeof id);
    if (packet[at] == wanted && id == htons(echo_id))
      return true;
  }
}

// In the namespace of the calling thread.
void begin(probe& x, const path_probe& way) {
  x.to = way.to;
  if (way.port == nobodys_port)
    x.echo = send_echo(way.to);
  auto length = socklen_t{};
  const auto there = to_socket_address(way.to, way.port, length);
  x.tcp = unique_fd{::socket(there.any.sa_family,
                             SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (!x.tcp)
    return settle(x, errno);
  const auto on = 1;
  if (way.to.is_v4())
    ::setsockopt(x.tcp.get(), IPPROTO_IP, IP_RECVERR, &on, sizeof on);
  else
    ::setsockopt(x.tcp.get(), IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof on);
  auto done = ::connect(x.tcp.get(), &there.any, length);
  if (done != 0 && errno == EINPROGRESS)
    x.waits = true;
  else
    settle(x, done == 0 ? 0 : errno);
}

// Moves the calling thread from namespace to namespace; a socket stays where it
// was opened.
void begin_all(const std::string& pin_dir, int host,
               std::span<const path_probe> ways, std::span<probe> probes) {
  for (size_t i = 0; i < ways.size(); ++i) {
    auto pin = ways[i].pin.empty()
                 ? unique_fd{}
                 : unique_fd{::open((pin_dir + "/" + ways[i].pin).c_str(),
                                    O_RDONLY | O_CLOEXEC)};
    auto place = ways[i].pin.empty() ? host : pin.get();
    if (place < 0 || ::setns(place, CLONE_NEWNET) != 0)
      settle(probes[i], errno);
    else
      begin(probes[i], ways[i]);
  }
}

void look_at_tcp(probe& x) {
  auto number = 0;
  auto size = socklen_t{sizeof number};
  ::getsockopt(x.tcp.get(), SOL_SOCKET, SO_ERROR, &number, &size);
  settle(x, number);
}

void look_at_echo(probe& x) {
  if (!has_reply(x.echo.get(), x.to))
    return;
  x.waits = false;
  x.failure.clear();
  x.tcp = unique_fd{};
  x.echo = unique_fd{};
}

void wait_for_all(std::span<probe> probes, clock::time_point end) {
  struct waiting {
    probe* owner;
    void (*look)(probe&);
  };
  for (;;) {
    auto polled = std::vector<pollfd>{};
    auto owners = std::vector<waiting>{};
    for (auto& x : probes) {
      if (x.waits && x.tcp) {
        polled.push_back({x.tcp.get(), POLLOUT, 0});
        owners.push_back({&x, look_at_tcp});
      }
      if (x.waits && x.echo) {
        polled.push_back({x.echo.get(), POLLIN, 0});
        owners.push_back({&x, look_at_echo});
      }
    }
    auto left
      = std::chrono::ceil<std::chrono::milliseconds>(end - clock::now());
    if (polled.empty() || left.count() <= 0)
      break;
    if (::poll(polled.data(), polled.size(), static_cast<int>(left.count())) < 0
        && errno != EINTR)
      break;
    for (size_t i = 0; i < polled.size(); ++i)
      // The other socket may have settled it.
      if (polled[i].revents != 0 && owners[i].owner->waits
          && (owners[i].owner->tcp.get() == polled[i].fd
              || owners[i].owner->echo.get() == polled[i].fd))
        owners[i].look(*owners[i].owner);
  }
  for (auto& x : probes)
    if (std::exchange(x.waits, false) && x.failure.empty())
      x.failure = x.echo ? "no answer to TCP or ICMP" : "no answer";
}

} // namespace

result<std::vector<std::string>>
send_path_probes(const std::string& pin_dir, std::span<const path_probe> ways,
                 std::chrono::milliseconds patience) {
  auto failures = std::vector<std::string>{};
  auto host
    = unique_fd{::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)};
  if (!host)
    return fail(os_failure(errno, "probe: open the host's namespace"));
  while (failures.size() < ways.size()) {
    auto some = ways.subspan(failures.size());
    some = some.first(std::min(some.size(), most_at_once));
    auto probes = std::vector<probe>(some.size());
    // A thread of its own enters the namespaces and ends there.
    try {
      std::thread{[&] {
        begin_all(pin_dir, host.get(), some, probes);
      }}.join();
    } catch (const std::system_error& problem) {
      return fail(os_failure(problem.code().value(), "probe: start thread"));
    }
    wait_for_all(probes, clock::now() + patience);
    for (auto& x : probes)
      failures.push_back(std::move(x.failure));
  }
  return failures;
}

} // namespace troupe::netns
