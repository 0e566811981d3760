#include "probe.hpp"

#include "troupe/netns/unique_fd.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <thread>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>

namespace troupe::test {

namespace {

using netns::unique_fd;

constexpr uint16_t probe_port = 9;
constexpr int interval_ms = 100;

// A socket keeps the namespace it was opened in; the thread that switched ends.
unique_fd open_socket(const place& where, ip_family family) {
  auto result = unique_fd{};
  auto open_here = [&] {
    if (!where.empty()) {
      auto ns = unique_fd{open(where.c_str(), O_RDONLY | O_CLOEXEC)};
      if (setns(ns.get(), CLONE_NEWNET) != 0)
        return;
    }
    auto domain = family == ip_family::v4 ? AF_INET : AF_INET6;
    result = unique_fd{socket(domain, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  };
  auto worker = std::thread{open_here};
  worker.join();
  return result;
}

struct endpoint_name {
  sockaddr_storage storage{};
  socklen_t size = sizeof(storage);

  sockaddr* get() {
    return reinterpret_cast<sockaddr*>(&storage);
  }
};

endpoint_name name_of(const ip_address& address, uint16_t port) {
  auto result = endpoint_name{};
  if (address.is_v4()) {
    auto& x = reinterpret_cast<sockaddr_in&>(result.storage);
    x.sin_family = AF_INET;
    x.sin_port = htons(port);
    std::memcpy(&x.sin_addr, address.bytes().data(), 4);
    result.size = sizeof(sockaddr_in);
  } else {
    auto& x = reinterpret_cast<sockaddr_in6&>(result.storage);
    x.sin6_family = AF_INET6;
    x.sin6_port = htons(port);
    std::memcpy(&x.sin6_addr, address.bytes().data(), 16);
    result.size = sizeof(sockaddr_in6);
  }
  return result;
}

// Echoes one datagram if one came.
void answer(int socket) {
  auto byte = char{};
  auto peer = endpoint_name{};
  if (recvfrom(socket, &byte, 1, MSG_DONTWAIT, peer.get(), &peer.size) == 1)
    (void)sendto(socket, &byte, 1, MSG_DONTWAIT, peer.get(), peer.size);
}

} // namespace

bool can_reach(const place& from, const place& to, const ip_address& address,
               int tries) {
  auto sender = open_socket(from, address.family());
  auto receiver = open_socket(to, address.family());
  auto target = name_of(address, probe_port);
  if (bind(receiver.get(), target.get(), target.size) != 0) {
    ADD_FAILURE() << "bind " << to_string(address) << ": "
                  << std::strerror(errno);
    return false;
  }
  for (auto i = 0; i < tries; ++i) {
    (void)sendto(sender.get(), "x", 1, MSG_DONTWAIT, target.get(), target.size);
    auto waiting = pollfd{receiver.get(), POLLIN, 0};
    if (poll(&waiting, 1, interval_ms) != 1)
      continue;
    answer(receiver.get());
    waiting = {sender.get(), POLLIN, 0};
    if (poll(&waiting, 1, interval_ms) == 1 && (waiting.revents & POLLIN) != 0)
      return true;
  }
  return false;
}

} // namespace troupe::test
