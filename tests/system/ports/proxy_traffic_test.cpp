#include "fixture.hpp"
#include <random>

namespace troupe {
namespace {

using namespace test;

class ProxyTraffic : public ports_test {
protected:
  void SetUp() override {
    ports_test::SetUp();
    proxy = netns::make_proxy_client(settings);
  }

  void serve(protocol proto, const std::string& host, uint16_t port,
             const std::string& target, uint16_t target_port) {
    auto done = publish(*proxy, proto, host, port, target, target_port);
    ASSERT_TRUE(done.has_value()) << done.error().message;
  }

  std::unique_ptr<netns::port_proxy> proxy;
};

std::string random_bytes(size_t size) {
  auto source = std::mt19937_64{size};
  auto result = std::string(size, '\0');
  for (auto& x : result)
    x = static_cast<char>(source());
  return result;
}

TEST_F(ProxyTraffic, PassesALargeTransferIntactBothWays) {
  auto server = tcp_server{"172.19.0.2", 80, echo};
  serve(protocol::tcp, "127.0.0.1", 8080, "172.19.0.2", 80);
  auto data = random_bytes(48 << 20);
  auto fd = dial("127.0.0.1", 8080);
  ASSERT_TRUE(fd);
  auto sender = std::thread{[&] {
    send_all(fd.get(), data);
    ::shutdown(fd.get(), SHUT_WR);
  }};
  auto back = read_all(fd.get());
  sender.join();
  EXPECT_EQ(back.size(), data.size());
  EXPECT_TRUE(back == data);
}

TEST_F(ProxyTraffic, KeepsAHalfClosedConnectionOpen) {
  auto answer = random_bytes(1 << 20);
  auto server
    = tcp_server{"172.19.0.2", 80, [&](int fd) {
                   auto question = read_all(fd);
                   // While the connection is half closed.
                   std::this_thread::sleep_for(std::chrono::milliseconds{50});
                   send_all(fd, question + answer);
                 }};
  serve(protocol::tcp, "127.0.0.1", 8080, "172.19.0.2", 80);
  auto fd = dial("127.0.0.1", 8080);
  send_all(fd.get(), "question");
  ::shutdown(fd.get(), SHUT_WR);
  EXPECT_TRUE(read_all(fd.get()) == "question" + answer);
}

TEST_F(ProxyTraffic, LeadsFromIpv6ToIpv4) {
  auto server = tcp_server{"172.19.0.2", 80, echo};
  serve(protocol::tcp, "::", 8080, "172.19.0.2", 80);
  for (auto address : {"::1", "fd00:19::2"}) {
    auto fd = dial(address, 8080);
    ASSERT_TRUE(fd) << address;
    send_all(fd.get(), "six");
    EXPECT_EQ(read_some(fd.get()), "six");
  }
  // An IPv6 socket does not take IPv4.
  EXPECT_FALSE(dial("127.0.0.1", 8080));
}

TEST_F(ProxyTraffic, ResetsTheClientWhenNobodyListens) {
  serve(protocol::tcp, "127.0.0.1", 8080, "172.19.0.2", 80);
  auto fd = dial("127.0.0.1", 8080);
  ASSERT_TRUE(fd);
  auto byte = char{};
  EXPECT_EQ(::recv(fd.get(), &byte, 1, 0), -1);
  EXPECT_EQ(errno, ECONNRESET);
}

TEST_F(ProxyTraffic, PassesAResetOn) {
  auto server
    = tcp_server{"172.19.0.2", 80, [](int fd) {
                   read_some(fd);
                   auto now = linger{1, 0};
                   ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
                 }};
  serve(protocol::tcp, "127.0.0.1", 8080, "172.19.0.2", 80);
  auto fd = dial("127.0.0.1", 8080);
  send_all(fd.get(), "x");
  auto byte = char{};
  EXPECT_EQ(::recv(fd.get(), &byte, 1, 0), -1);
  EXPECT_EQ(errno, ECONNRESET);
}

TEST_F(ProxyTraffic, DropsWhatArrivesAtAPortThatIsOnlyHeld) {
  serve(protocol::tcp, "127.0.0.1", 8080, "", 0);
  auto fd = make_socket("127.0.0.1", SOCK_STREAM | SOCK_NONBLOCK);
  auto where = socket_address{ip("127.0.0.1"), 8080};
  EXPECT_EQ(::connect(fd.get(), where.data(), where.size()), -1);
  auto waiting = pollfd{fd.get(), POLLOUT, 0};
  EXPECT_EQ(::poll(&waiting, 1, 300), 0) << "somebody answered";
  // It is served from now on: the client's next attempt succeeds.
  auto server = tcp_server{"172.19.0.2", 80, echo};
  auto what = netns::proxy_port{protocol::tcp, ip("127.0.0.1"), 8080,
                                ip("172.19.0.2"), 80};
  auto none = std::shared_ptr<netns::held_port>{};
  ASSERT_TRUE(proxy->add({&what, 1}, {&none, 1}).has_value());
  EXPECT_EQ(::poll(&waiting, 1, 4'000), 1);
}

TEST_F(ProxyTraffic, AnswersDatagramsFromTheAddressThatWasAsked) {
  auto server = make_socket("172.19.0.2", SOCK_DGRAM);
  auto where = socket_address{ip("172.19.0.2"), 53};
  ASSERT_EQ(::bind(server.get(), where.data(), where.size()), 0);
  serve(protocol::udp, "0.0.0.0", 5353, "172.19.0.2", 53);
  serve(protocol::udp, "::", 5353, "172.19.0.2", 53);
  for (auto address : {"127.0.0.1", "127.0.0.9", "10.0.0.1", "::1"}) {
    auto client = dial(address, 5353, SOCK_DGRAM); // Connected: no other
    ASSERT_TRUE(client) << address;                // address may answer.
    for (auto size : {0U, 1U, 1'400U, 60'000U}) {
      auto data = random_bytes(size);
      ASSERT_GE(::send(client.get(), data.data(), size, 0), 0);
      auto buffer = std::vector<char>(65'536);
      auto peer = sockaddr_storage{};
      auto length = socklen_t{sizeof(peer)};
      auto n = ::recvfrom(server.get(), buffer.data(), buffer.size(), 0,
                          reinterpret_cast<sockaddr*>(&peer), &length);
      ASSERT_EQ(n, static_cast<ssize_t>(size));
      ::sendto(server.get(), buffer.data(), static_cast<size_t>(n), 0,
               reinterpret_cast<sockaddr*>(&peer), length);
      n = ::recv(client.get(), buffer.data(), buffer.size(), 0);
      ASSERT_EQ(n, static_cast<ssize_t>(size)) << address;
      EXPECT_TRUE(std::string(buffer.data(), size) == data);
    }
  }
}

TEST_F(ProxyTraffic, KeepsDatagramClientsApart) {
  auto server = make_socket("172.19.0.2", SOCK_DGRAM);
  auto where = socket_address{ip("172.19.0.2"), 53};
  ASSERT_EQ(::bind(server.get(), where.data(), where.size()), 0);
  serve(protocol::udp, "127.0.0.1", 5353, "172.19.0.2", 53);
  auto clients = std::vector<unique_fd>{};
  for (auto i = 0; i < 50; ++i) {
    clients.push_back(dial("127.0.0.1", 5353, SOCK_DGRAM));
    auto text = std::to_string(i);
    ::send(clients.back().get(), text.data(), text.size(), 0);
    auto peer = sockaddr_storage{};
    auto length = socklen_t{sizeof(peer)};
    auto buffer = std::vector<char>(64);
    auto n = ::recvfrom(server.get(), buffer.data(), buffer.size(), 0,
                        reinterpret_cast<sockaddr*>(&peer), &length);
    ASSERT_GT(n, 0);
    ::sendto(server.get(), buffer.data(), static_cast<size_t>(n), 0,
             reinterpret_cast<sockaddr*>(&peer), length);
  }
  for (size_t i = 0; i < clients.size(); ++i)
    EXPECT_EQ(read_some(clients[i].get()), std::to_string(i));
}

TEST_F(ProxyTraffic, DoesNotLetOneConnectionKeepOthersWaiting) {
  auto stop = std::atomic<bool>{false};
  auto server = tcp_server{"172.19.0.2", 80, [&](int fd) {
                             auto text = std::string(1 << 20, 'x');
                             if (read_some(fd) == "flood")
                               while (!stop && send_all(fd, text))
                                 continue;
                             else
                               send_all(fd, "pong");
                           }};
  serve(protocol::tcp, "127.0.0.1", 8080, "172.19.0.2", 80);
  auto flood = dial("127.0.0.1", 8080);
  send_all(flood.get(), "flood");
  auto reader = std::thread{[&] {
    while (!stop && !read_some(flood.get()).empty())
      continue;
  }};
  for (auto i = 0; i < 20; ++i) {
    auto begin = std::chrono::steady_clock::now();
    auto fd = dial("127.0.0.1", 8080);
    send_all(fd.get(), "ping");
    EXPECT_EQ(read_some(fd.get()), "pong");
    EXPECT_LT(std::chrono::steady_clock::now() - begin,
              std::chrono::milliseconds{1'000});
  }
  stop = true;
  reader.join();
  flood = unique_fd{};
}

} // namespace
} // namespace troupe
