#include "troupe/netns/unique_fd.hpp"

#include <fmt/format.h>

#include "scenarios.hpp"
#include "subject.hpp"
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

// What a published port costs those who use it. Client and server are sockets
// of this program inside two sandboxes; packets go through the host as they do
// for real containers.

namespace troupe::bench {

namespace {

using netns::unique_fd;

constexpr auto service_port = uint16_t{80};
constexpr auto portion_bytes = size_t{1} << 17U;

void require(bool good, const char* what) {
  if (!good)
    die(std::string{what} + ": " + std::strerror(errno));
}

/// Opens a socket inside a namespace; it stays there.
unique_fd open_in(const std::string& path) {
  auto result = unique_fd{};
  auto work = std::thread{[&] {
    auto ns = unique_fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    require(ns.get() >= 0 && ::setns(ns.get(), CLONE_NEWNET) == 0,
            "enter sandbox");
    result = unique_fd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  }};
  work.join();
  require(result.get() >= 0, "open socket");
  return result;
}

sockaddr_in where(const std::string& address, uint16_t port) {
  auto result = sockaddr_in{};
  result.sin_family = AF_INET;
  result.sin_port = htons(port);
  require(::inet_pton(AF_INET, address.c_str(), &result.sin_addr) == 1,
          "read address");
  return result;
}

/// No waiting state is left behind: 10 000 of them would be measured.
void close_at_once(unique_fd fd) {
  auto now = linger{1, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

/// Takes connections as they come and reads from all of them, until they end.
class sink {
public:
  explicit sink(const std::string& sandbox)
    : listener_{open_in(sandbox)}, ready_{::epoll_create1(EPOLL_CLOEXEC)} {
    auto at = where("0.0.0.0", service_port);
    require(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&at), sizeof at)
                == 0
              && ::listen(listener_.get(), 1'024) == 0,
            "listen");
    watch(listener_.get());
    thread_ = std::thread{[this] {
      serve();
    }};
  }
  sink(const sink&) = delete;
  sink& operator=(const sink&) = delete;

  ~sink() {
    stop_ = true;
    thread_.join();
  }

private:
  void watch(int fd) {
    auto event = epoll_event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    require(::epoll_ctl(ready_.get(), EPOLL_CTL_ADD, fd, &event) == 0,
            "watch connection");
  }

  void serve() {
    auto events = std::array<epoll_event, 64>{};
    while (!stop_) {
      auto count = ::epoll_wait(ready_.get(), events.data(), events.size(), 20);
      for (auto i = 0; i < count; ++i) {
        auto fd = events[static_cast<size_t>(i)].data.fd;
        if (fd == listener_.get())
          accept();
        else
          read(fd);
      }
    }
  }

  void accept() {
    auto fd = unique_fd{::accept4(listener_.get(), nullptr, nullptr,
                                  SOCK_CLOEXEC | SOCK_NONBLOCK)};
    if (!fd)
      return; // It was reset meanwhile.
    watch(fd.get());
    auto number = fd.get();
    connections_[number] = std::move(fd);
  }

  void read(int fd) {
    auto size = ssize_t{0};
    do
      size = ::recv(fd, buffer_.data(), buffer_.size(), 0);
    while (size > 0);
    if (size < 0 && errno == EAGAIN)
      return;
    auto ended = connections_.extract(fd);
    close_at_once(std::move(ended.mapped()));
  }

  unique_fd listener_;
  unique_fd ready_;
  std::map<int, unique_fd> connections_;
  std::vector<char> buffer_ = std::vector<char>(portion_bytes);
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

/// A way to the server.
struct route {
  std::string name;
  sockaddr_in to;
};

unique_fd connect_by(const route& way, const std::string& client) {
  auto fd = open_in(client);
  require(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&way.to),
                    sizeof way.to)
            == 0,
          "connect");
  return fd;
}

/// Sockets are opened before the clock runs.
double
connections_per_second(const route& way, const std::string& client, int count) {
  auto sockets = std::vector<unique_fd>{};
  for (auto i = 0; i < count; ++i)
    sockets.push_back(open_in(client));
  auto watch = stopwatch{};
  for (auto& fd : sockets)
    require(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&way.to),
                      sizeof way.to)
              == 0,
            "connect");
  auto result = per_second(static_cast<size_t>(count), watch.elapsed());
  for (auto& fd : sockets)
    close_at_once(std::move(fd));
  return result;
}

double mib_per_second(const route& way, const std::string& client, size_t mib) {
  auto fd = connect_by(way, client);
  const auto bytes = std::string(portion_bytes, 'x');
  auto watch = stopwatch{};
  for (size_t sent = 0; sent < mib << 20U; sent += bytes.size())
    require(::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL)
              == static_cast<ssize_t>(bytes.size()),
            "send");
  ::shutdown(fd.get(), SHUT_WR);
  auto end = char{};
  ::recv(fd.get(), &end, 1, 0); // The server has read all.
  return per_second(mib, watch.elapsed());
}

row rate_row(std::string group, std::string name, double rate, double floor) {
  auto result = row{};
  result.group = std::move(group);
  result.name = std::move(name);
  result.rate = rate;
  result.to_floor = floor / rate; // above 1 is slower, as everywhere
  return result;
}

void measure_route(const setting& how, const std::vector<route>& ways,
                   const std::string& client, int present, report& out) {
  const auto count = how.quick ? 500 : 2'000;
  const auto mib = how.quick ? size_t{256} : size_t{2'048};
  auto floor_connections = double{0};
  auto floor_mib = double{0};
  for (const auto& way : ways) {
    connections_per_second(way, client, count / 10); // warms up
    auto rate = connections_per_second(way, client, count);
    auto speed = mib_per_second(way, client, mib);
    if (floor_connections == 0) {
      floor_connections = rate;
      floor_mib = speed;
    }
    auto name = fmt::format("{}, {} ports present", way.name, present);
    out.add(rate_row("connections", name, rate, floor_connections));
    out.add(rate_row("MiB through one connection", name, speed, floor_mib));
  }
}

} // namespace

void measure_connections(const setting& how, report& out) {
  auto ours = subject::embedded(how.state_base);
  auto sandboxes = std::vector<sandbox>{};
  ours->attach(1, sandboxes, static_cast<int>(service_port));
  ours->attach(1, sandboxes);
  const auto server = ours->endpoint_of(sandboxes[0]);
  const auto client = sandboxes[1].key();
  auto host_port = uint16_t{0};
  for (const auto& x : server.bindings)
    if (x.port == service_port && x.host_ip.is_v4())
      host_port = x.host_port;
  const auto own = to_string(server.spec.addresses.at(0).address);
  const auto ways = std::vector<route>{
    {"directly", where(own, service_port)},
    {"published", where(to_string(server.gateway.value()), host_port)}};
  auto present = int{service_port}; // it publishes all up to its own
  auto service = sink{sandboxes[0].key()};
  for (auto wanted : {present, how.quick ? 1'000 : 10'000}) {
    for (; present < wanted; present += 500)
      ours->attach(1, sandboxes, 500);
    measure_route(how, ways, client, present, out);
  }
  ours->remove(sandboxes);
}

} // namespace troupe::bench
