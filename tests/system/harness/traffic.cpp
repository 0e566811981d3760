#include "troupe/tests/system/harness/traffic.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

namespace troupe::test {

namespace {

using namespace std::chrono_literals;

// Number of packets that only make the neighbours known to each other.
constexpr auto no_number = ~uint64_t{0};

struct socket_address {
  sockaddr_storage storage = {};
  socklen_t size = 0;

  const sockaddr* get() const {
    return reinterpret_cast<const sockaddr*>(&storage);
  }
};

socket_address parse(const std::string& text, uint16_t port) {
  auto result = socket_address{};
  auto* v4 = reinterpret_cast<sockaddr_in*>(&result.storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&result.storage);
  if (inet_pton(AF_INET, text.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    result.size = sizeof *v4;
  } else if (inet_pton(AF_INET6, text.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    result.size = sizeof *v6;
  }
  return result;
}

// A socket of a namespace; -1 with errno set if that fails.
int open_inside(const std::string& path, int family) {
  auto result = -1;
  auto why = 0;
  std::thread{[&] {
    auto ns = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (ns >= 0 && setns(ns, CLONE_NEWNET) == 0)
      result = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    why = errno;
    if (ns >= 0)
      close(ns);
  }}.join();
  errno = why;
  return result;
}

} // namespace

std::string traffic_report::text() const {
  auto result = std::to_string(sent) + " sent, " + std::to_string(refused)
                + " refused, " + std::to_string(received) + " received, "
                + std::to_string(duplicates) + " twice";
  if (!lost.empty())
    result += "; lost";
  for (auto number : lost)
    result += " " + std::to_string(number);
  return result;
}

traffic::traffic(const std::string& from, const std::string& to,
                 const std::string& address) {
  refusal_ = open_sockets(from, to, address);
  if (!refusal_.empty())
    return;
  if (!warm_up()) {
    refusal_ = "nothing arrives at " + address;
    return;
  }
  receiver_ = std::thread{[this] {
    receive_all();
  }};
  sender_ = std::thread{[this] {
    send_all();
  }};
}

traffic::~traffic() {
  stop();
  if (out_ >= 0)
    close(out_);
  if (in_ >= 0)
    close(in_);
}

std::string
traffic::open_sockets(const std::string& from, const std::string& to,
                      const std::string& address) {
  auto refused = [](const std::string& what) {
    return what + ": " + std::strerror(errno);
  };
  constexpr auto port = uint16_t{7000};
  auto target = parse(address, port);
  if (target.size == 0)
    return "not an address: " + address;
  out_ = open_inside(from, target.storage.ss_family);
  if (out_ < 0)
    return refused("open a socket in " + from);
  in_ = open_inside(to, target.storage.ss_family);
  if (in_ < 0)
    return refused("open a socket in " + to);
  // Room for a receiver that does not get the processor for some seconds.
  auto room = 8 << 20;
  setsockopt(in_, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
  auto pause = timeval{0, 100'000};
  setsockopt(in_, SOL_SOCKET, SO_RCVTIMEO, &pause, sizeof pause);
  if (bind(in_, target.get(), target.size) != 0)
    return refused("bind " + address);
  if (connect(out_, target.get(), target.size) != 0)
    return refused("connect " + address);
  return {};
}

bool traffic::warm_up() const {
  auto number = no_number;
  for (auto i = 0; i < 50; ++i) {
    send(out_, &number, sizeof number, 0);
    auto got = uint64_t{0};
    if (recv(in_, &got, sizeof got, 0) == sizeof got)
      return true;
  }
  return false;
}

void traffic::send_all() {
  auto next = std::chrono::steady_clock::now();
  while (sending_) {
    if (send(out_, &sent_, sizeof sent_, MSG_DONTWAIT) == sizeof sent_)
      ++sent_;
    else
      ++refused_;
    next += 1ms;
    std::this_thread::sleep_until(next);
  }
}

void traffic::receive_all() {
  for (;;) {
    auto number = uint64_t{0};
    auto count = recv(in_, &number, sizeof number, 0);
    if (count == sizeof number && number != no_number)
      seen_.push_back(number);
    else if (count < 0 && !receiving_)
      return;
  }
}

traffic_report traffic::stop() {
  sending_ = false;
  if (sender_.joinable())
    sender_.join();
  // The receiver stops when a tenth of a second has brought nothing.
  receiving_ = false;
  if (receiver_.joinable())
    receiver_.join();
  auto result = traffic_report{};
  result.sent = sent_;
  result.refused = refused_;
  auto numbers = seen_;
  std::sort(numbers.begin(), numbers.end());
  auto end = std::unique(numbers.begin(), numbers.end());
  result.duplicates = static_cast<uint64_t>(numbers.end() - end);
  numbers.erase(end, numbers.end());
  result.received = numbers.size();
  auto expected = uint64_t{0};
  for (auto number : numbers) {
    for (; expected < number && result.lost.size() < 100; ++expected)
      result.lost.push_back(expected);
    expected = number + 1;
  }
  return result;
}

} // namespace troupe::test
