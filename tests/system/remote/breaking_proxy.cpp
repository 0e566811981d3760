#include "troupe/tests/system/remote/breaking_proxy.hpp"

#include "troupe/actors/remote/tcp.hpp"

#include <array>
#include <vector>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

namespace troupe::test {

namespace {

using namespace std::chrono_literals;

struct pair {
  netns::unique_fd client;
  netns::unique_fd server;
};

// The buffers are those of the kernel: what came is passed on at once.
bool pass(int from, int to) {
  auto buffer = std::array<char, 65'536>{};
  auto got = ::recv(from, buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (got <= 0)
    return false;
  for (ssize_t sent = 0; sent < got;) {
    auto n = ::send(to, buffer.data() + sent, static_cast<size_t>(got - sent),
                    MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN) {
      auto x = pollfd{to, POLLOUT, 0};
      if (::poll(&x, 1, 1'000) <= 0)
        return false;
      continue;
    }
    if (n <= 0)
      return false;
    sent += n;
  }
  return true;
}

void reset(int fd) {
  auto at_once = linger{1, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

} // namespace

breaking_proxy::breaking_proxy()
  : listener_{std::move(*remote::listen_tcp({"127.0.0.1", port}))} {
  thread_ = std::thread{[this] {
    run();
  }};
}

breaking_proxy::~breaking_proxy() {
  stopping_ = true;
  thread_.join();
}

void breaking_proxy::cut() {
  cutting_ = true;
  while (cutting_)
    std::this_thread::sleep_for(1ms);
}

// The round that is under way may not have seen it.
void breaking_proxy::hold(bool on) {
  held_ = on;
  auto enough = rounds_ + 2;
  while (rounds_ < enough)
    std::this_thread::sleep_for(1ms);
}

void breaking_proxy::run() {
  auto wake = netns::unique_fd{::eventfd(0, EFD_CLOEXEC)};
  auto pairs = std::vector<pair>{};
  while (!stopping_) {
    ++rounds_;
    if (cutting_) {
      for (const auto& x : pairs) {
        reset(x.client.get());
        reset(x.server.get());
      }
      pairs.clear();
      cutting_ = false;
    }
    auto polls = std::vector<pollfd>{{listener_.get(), POLLIN, 0}};
    for (const auto& x : pairs)
      for (auto fd : {x.client.get(), x.server.get()})
        polls.push_back({held_ ? -1 : fd, POLLIN, 0});
    ::poll(polls.data(), polls.size(), 5);
    for (size_t i = pairs.size(); i-- > 0;) {
      auto& x = pairs[i];
      auto ends = (polls[1 + 2 * i].revents != 0
                   && !pass(x.client.get(), x.server.get()))
                  || (polls[2 + 2 * i].revents != 0
                      && !pass(x.server.get(), x.client.get()));
      if (ends)
        pairs.erase(pairs.begin() + static_cast<std::ptrdiff_t>(i));
    }
    if (polls[0].revents == 0)
      continue;
    auto client = netns::unique_fd{
      ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
    auto server = remote::connect_tcp({"127.0.0.1", remote::default_port}, 2s,
                                      wake.get());
    ++count_;
    if (client && server)
      pairs.push_back({std::move(client), std::move(*server)});
  }
}

} // namespace troupe::test
