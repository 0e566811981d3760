#include "troupe/tests/system/model/packets.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <unistd.h>

namespace troupe::test::reach {

namespace {

using namespace std::chrono_literals;

constexpr auto pace = 50ms;
constexpr auto first_source = 41000;
constexpr auto patience_to_connect = 300ms;
// A live connection must not be given up because this machine is busy.
constexpr auto patience_for_answer = 2s;

socklen_t
parse(const std::string& text, uint16_t port, sockaddr_storage& result) {
  auto* v4 = reinterpret_cast<sockaddr_in*>(&result);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&result);
  result.ss_family = text.find(':') == std::string::npos ? AF_INET : AF_INET6;
  if (result.ss_family == AF_INET) {
    inet_pton(AF_INET, text.c_str(), &v4->sin_addr);
    v4->sin_port = htons(port);
    return sizeof *v4;
  }
  inet_pton(AF_INET6, text.c_str(), &v6->sin6_addr);
  v6->sin6_port = htons(port);
  return sizeof *v6;
}

std::string text_of(const sockaddr_in6& x) {
  auto text = std::array<char, INET6_ADDRSTRLEN>{};
  inet_ntop(AF_INET6, &x.sin6_addr, text.data(), text.size());
  auto result = std::string{text.data()};
  return result.starts_with("::ffff:") ? result.substr(7) : result;
}

std::string target_of(const flow& f) {
  switch (f.to) {
  case flow::target::uplink:
    return uplink_address(f.v6);
  case flow::target::loopback:
    return f.v6 ? "::1" : "127.0.0.1";
  case flow::target::neighbour:
    return neighbour_address(f.v6);
  case flow::target::inside:
    return address_of(f.network, f.address, f.v6);
  }
  return {};
}

void set(int fd, int level, int option, int value) {
  setsockopt(fd, level, option, &value, sizeof value);
}

// At once: what is being closed keeps its namespace, and its port.
void close_now(int& fd) {
  auto now = linger{1, 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  ::close(fd);
  fd = -1;
}

int listen_at(uint16_t port, bool stream) {
  auto fd = socket(
    AF_INET6,
    (stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
  set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
  auto at = sockaddr_in6{};
  at.sin6_family = AF_INET6;
  at.sin6_port = htons(port);
  if (bind(fd, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0
      && (!stream || listen(fd, 64) == 0))
    return fd;
  ::close(fd);
  return -1;
}

int open_at(uint16_t port, bool v6, bool stream) {
  auto fd = socket(
    v6 ? AF_INET6 : AF_INET,
    (stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  auto at = sockaddr_storage{};
  auto size = parse(v6 ? "::" : "0.0.0.0", port, at);
  if (bind(fd, reinterpret_cast<sockaddr*>(&at), size) == 0)
    return fd;
  ::close(fd);
  return -1;
}

// Answers from the address that was asked, as servers on many networks do.
void answer_datagram(int fd, int who) {
  auto peer = sockaddr_in6{};
  auto buffer = std::array<char, 64>{};
  auto control = std::array<char, 256>{};
  auto part = iovec{buffer.data(), buffer.size()};
  auto message = msghdr{};
  message.msg_name = &peer;
  message.msg_namelen = sizeof peer;
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  if (recvmsg(fd, &message, 0) < 0)
    return;
  for (auto* x = CMSG_FIRSTHDR(&message); x != nullptr;
       x = CMSG_NXTHDR(&message, x))
    if (x->cmsg_level == IPPROTO_IPV6 && x->cmsg_type == IPV6_PKTINFO)
      reinterpret_cast<in6_pktinfo*>(CMSG_DATA(x))->ipi6_ifindex = 0;
  auto text = std::to_string(who) + " " + text_of(peer) + "\n";
  part = {text.data(), text.size()};
  sendmsg(fd, &message, 0);
}

// @returns false when the client is gone; the socket is closed then.
bool answer_client(int& fd, int who) {
  auto buffer = std::array<char, 256>{};
  auto count = recv(fd, buffer.data(), buffer.size(), 0);
  if (count == 0 || (count < 0 && errno != EAGAIN)) {
    close_now(fd);
    return false;
  }
  auto peer = sockaddr_in6{};
  auto size = socklen_t{sizeof peer};
  if (count > 0
      && getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) == 0) {
    auto text = std::to_string(who) + " " + text_of(peer) + "\n";
    send(fd, text.data(), text.size(), MSG_NOSIGNAL);
  }
  return true;
}

bool is_same(const sockaddr_storage& a, const sockaddr_storage& b) {
  if (a.ss_family != b.ss_family)
    return false;
  const auto* left = reinterpret_cast<const sockaddr_in6*>(&a);
  const auto* right = reinterpret_cast<const sockaddr_in6*>(&b);
  if (a.ss_family == AF_INET) // family, port and address are the first 8
    return std::memcmp(&a, &b, 8) == 0;
  return left->sin6_port == right->sin6_port
         && std::memcmp(&left->sin6_addr, &right->sin6_addr, 16) == 0;
}

} // namespace

packets::packets(std::vector<flow> flows) {
  for (auto& x : flows) {
    auto one = sender{};
    one.what = x;
    one.source = static_cast<uint16_t>(first_source + senders_.size());
    one.size = parse(target_of(x), x.port, one.to);
    senders_.push_back(std::move(one));
  }
  thread_ = std::thread{[this] {
    work();
  }};
}

packets::~packets() {
  stop_ = true;
  thread_.join();
  for (auto who = 0; who <= from_host; ++who)
    move_out(who);
}

std::string packets::move_in(int who, const std::string& path) {
  auto space = open(path.empty() ? "/proc/thread-self/ns/net" : path.c_str(),
                    O_RDONLY | O_CLOEXEC);
  auto lock = std::lock_guard{mutex_};
  spaces_[who] = space;
  auto wrong = std::string{};
  std::thread{[&] {
    if (setns(space, CLONE_NEWNET) != 0) {
      wrong = "enter " + path + ": " + std::strerror(errno);
      return;
    }
    for (auto port : {uint16_t{80}, uint16_t{81}})
      for (auto what : {server::kind::datagrams, server::kind::clients})
        if (who != from_host)
          servers_.push_back(
            {who, listen_at(port, what == server::kind::clients), what});
  }}.join();
  for (auto& x : senders_)
    if (x.what.from == who)
      x.present = true;
  return wrong;
}

void packets::move_out(int who) {
  auto lock = std::lock_guard{mutex_};
  for (auto* list : {&servers_, &accepted_})
    std::erase_if(*list, [&](server& x) {
      if (x.who == who)
        close_now(x.fd);
      return x.who == who;
    });
  for (auto& x : senders_)
    if (x.what.from == who) {
      x.present = false;
      if (x.fd >= 0)
        close_now(x.fd);
    }
  if (auto found = spaces_.find(who); found != spaces_.end()) {
    ::close(found->second);
    spaces_.erase(found);
  }
}

void packets::renew() {
  auto lock = std::lock_guard{mutex_};
  for (auto& x : senders_) {
    x.source = static_cast<uint16_t>(x.source + senders_.size());
    if (x.fd >= 0)
      close_now(x.fd);
    x.connection = 0;
  }
}

void packets::reconnect(size_t i) {
  auto lock = std::lock_guard{mutex_};
  auto& x = senders_.at(i);
  if (x.fd >= 0)
    close_now(x.fd);
  x.connection = 0;
}

sighting packets::look(size_t i) const {
  auto lock = std::lock_guard{mutex_};
  const auto& x = senders_.at(i);
  if (clock::now() - x.heard > memory)
    return {-1, "", x.connection};
  return {x.server, x.seen_as, x.connection};
}

void packets::work() {
  while (!stop_) {
    {
      auto lock = std::lock_guard{mutex_};
      serve_all();
      for (auto& x : senders_)
        if (x.present)
          turn(x);
    }
    std::this_thread::sleep_for(10ms);
  }
}

void packets::serve_all() {
  for (const auto& x : servers_) {
    // Some at a time: nobody waits for long.
    for (auto i = 0; x.what == server::kind::datagrams && i < 8; ++i)
      answer_datagram(x.fd, x.who);
    if (x.what == server::kind::clients)
      for (int fd;
           (fd = accept4(x.fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC))
           >= 0;)
        accepted_.push_back({x.who, fd, server::kind::client});
  }
  std::erase_if(accepted_, [](server& x) {
    return !answer_client(x.fd, x.who);
  });
}

void packets::reopen(sender& x) {
  if (x.fd >= 0)
    close_now(x.fd);
  x.connection = 0;
  x.since = clock::now();
  // A socket belongs to the namespace that its maker is in.
  if (setns(spaces_.at(x.what.from), CLONE_NEWNET) != 0)
    return;
  x.fd = open_at(x.source, x.what.v6, x.what.tcp);
  if (x.what.tcp && x.fd >= 0)
    connect(x.fd, reinterpret_cast<const sockaddr*>(&x.to), x.size);
}

void packets::turn(sender& x) {
  auto now = clock::now();
  if (x.fd < 0) {
    if (now - x.since > 100ms)
      reopen(x);
    if (x.fd < 0)
      return;
  }
  if (x.what.tcp && x.connection == 0) {
    auto info = tcp_info{};
    auto size = socklen_t{sizeof info};
    getsockopt(x.fd, IPPROTO_TCP, TCP_INFO, &info, &size);
    if (info.tcpi_state == TCP_ESTABLISHED) {
      x.connection = ++last_connection_;
      x.since = now;
    } else if (info.tcpi_state != TCP_SYN_SENT
               || now - x.since > patience_to_connect) {
      close_now(x.fd);
      return;
    }
  }
  hear(x);
  if (x.fd < 0 || now - x.sent < pace || (x.what.tcp && x.connection == 0))
    return;
  x.sent = now;
  if (x.what.tcp)
    send(x.fd, "?", 1, MSG_NOSIGNAL);
  else
    sendto(x.fd, "?", 1, 0, reinterpret_cast<const sockaddr*>(&x.to), x.size);
}

void packets::hear(sender& x) {
  auto buffer = std::array<char, 1024>{};
  for (auto i = 0; i < 16; ++i) {
    auto from = sockaddr_storage{};
    auto size = socklen_t{sizeof from};
    auto count = recvfrom(x.fd, buffer.data(), buffer.size(), 0,
                          reinterpret_cast<sockaddr*>(&from), &size);
    if (count < 0 && errno == EAGAIN)
      break;
    if (count <= 0 && x.what.tcp) {
      close_now(x.fd);
      x.connection = 0;
      return;
    }
    // Only an answer of whom it asked counts.
    if (count <= 0 || (!x.what.tcp && !is_same(from, x.to)))
      continue;
    auto text = std::string{buffer.data(), static_cast<size_t>(count)};
    x.heard = clock::now();
    x.server = text[0] - '0';
    x.seen_as = text.substr(2, text.find('\n') - 2);
  }
  if (x.what.tcp && x.connection != 0
      && clock::now() - std::max(x.heard, x.since) > patience_for_answer) {
    close_now(x.fd);
    x.connection = 0;
  }
}

} // namespace troupe::test::reach
