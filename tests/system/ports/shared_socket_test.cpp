// One socket for `0.0.0.0` and `::` of a number, in the real proxy.

#include "fixture.hpp"

namespace troupe {
namespace {

using namespace test;
using netns::proxy_port;

class SharedSocket : public ports_test {
protected:
  void SetUp() override {
    ports_test::SetUp();
    proxy = netns::make_proxy_client(settings);
  }

  static std::vector<proxy_port> both_ports(protocol proto) {
    return {{proto, ip("::"), 8080, ip("fd00:19::2"), 80, true},
            {proto, ip("0.0.0.0"), 8080, ip("172.19.0.2"), 80, true}};
  }

  void serve(protocol proto) {
    auto socket = sockets->hold_both(proto, 8080, false);
    ASSERT_TRUE(socket.has_value()) << socket.error().message;
    auto held
      = std::vector<std::shared_ptr<netns::held_port>>{*socket, nullptr};
    auto done = proxy->add(both_ports(proto), held);
    ASSERT_TRUE(done.has_value()) << done.error().message;
  }

  static std::string say(const unique_fd& fd, const std::string& text) {
    send_all(fd.get(), text);
    return read_some(fd.get());
  }

  std::unique_ptr<netns::port_proxy> proxy;
};

auto answering(const std::string& name) {
  return [name](int fd) {
    for (auto text = read_some(fd); !text.empty(); text = read_some(fd))
      send_all(fd, name + text);
  };
}

TEST_F(SharedSocket, LeadsEachFamilyToItsOwnTarget) {
  auto four = tcp_server{"172.19.0.2", 80, answering("four ")};
  auto six = tcp_server{"fd00:19::2", 80, answering("six ")};
  serve(protocol::tcp);
  EXPECT_EQ(say(dial("127.0.0.1", 8080), "a"), "four a");
  EXPECT_EQ(say(dial("10.0.0.1", 8080), "b"), "four b");
  EXPECT_EQ(say(dial("::1", 8080), "c"), "six c");
  auto listed = proxy->list();
  ASSERT_TRUE(listed.has_value());
  EXPECT_EQ(listed->size(), 2U);
  for (const auto& x : *listed)
    EXPECT_TRUE(x.shared);
}

TEST_F(SharedSocket, TakesANewTargetForOneFamily) {
  auto old = tcp_server{"172.19.0.2", 80, answering("old ")};
  auto six = tcp_server{"fd00:19::2", 80, answering("six ")};
  auto fresh = tcp_server{"10.0.0.1", 81, answering("new ")};
  serve(protocol::tcp);
  auto change
    = proxy_port{protocol::tcp, ip("0.0.0.0"), 8080, ip("10.0.0.1"), 81, true};
  auto none = std::shared_ptr<netns::held_port>{};
  ASSERT_TRUE(proxy->add({&change, 1}, {&none, 1}).has_value());
  EXPECT_EQ(say(dial("127.0.0.1", 8080), "a"), "new a");
  EXPECT_EQ(say(dial("::1", 8080), "b"), "six b");
}

TEST_F(SharedSocket, KeepsTheConnectionsOfTheFamilyThatStays) {
  auto four = tcp_server{"172.19.0.2", 80, answering("four ")};
  auto six = tcp_server{"fd00:19::2", 80, answering("six ")};
  for (size_t leaves : {0, 1}) {
    serve(protocol::tcp);
    auto ports = both_ports(protocol::tcp);
    const auto gone = ports.at(leaves);
    const auto kept = ports.at(1 - leaves);
    auto to_kept = dial(kept.host_ip.is_v6() ? "::1" : "127.0.0.1", 8080);
    auto to_gone = dial(gone.host_ip.is_v6() ? "::1" : "127.0.0.1", 8080);
    const auto name = std::string{kept.host_ip.is_v6() ? "six " : "four "};
    EXPECT_EQ(say(to_kept, "a"), name + "a");
    EXPECT_FALSE(say(to_gone, "b").empty());
    ASSERT_TRUE(proxy->remove({&gone, 1}).has_value());
    EXPECT_TRUE(say(to_gone, "c").empty());
    EXPECT_EQ(say(to_kept, "d"), name + "d");
    // Both numbers are free; who stays gets a socket of its own.
    EXPECT_TRUE(proxy->list()->empty());
    auto other = sockets->hold(protocol::tcp, gone.host_ip, 8080);
    EXPECT_TRUE(other.has_value());
    auto own = sockets->hold(protocol::tcp, kept.host_ip, 8080, false);
    ASSERT_TRUE(own.has_value()) << own.error().message;
    auto alone = kept;
    alone.shared = false;
    ASSERT_TRUE(proxy->add({&alone, 1}, {&*own, 1}).has_value());
    EXPECT_EQ(say(to_kept, "e"), name + "e");
    EXPECT_EQ(say(dial(kept.host_ip.is_v6() ? "::1" : "127.0.0.1", 8080), "f"),
              name + "f");
    EXPECT_EQ(*proxy->list(), std::vector{alone});
    ASSERT_TRUE(proxy->remove({&alone, 1}).has_value());
  }
}

TEST_F(SharedSocket, EndsWithoutItsLastConnection) {
  auto four = tcp_server{"172.19.0.2", 80, answering("four ")};
  serve(protocol::tcp);
  auto fd = dial("127.0.0.1", 8080);
  EXPECT_EQ(say(fd, "a"), "four a");
  auto six = both_ports(protocol::tcp).front();
  ASSERT_TRUE(proxy->remove({&six, 1}).has_value());
  const auto pid = proxy_pid();
  fd = unique_fd{};
  proxy.reset();
  // It is idle now: it ends after a second.
  EXPECT_TRUE(eventually([&] {
    return is_gone(pid);
  }));
}

TEST_F(SharedSocket, AnswersDatagramsFromTheAddressThatWasAsked) {
  serve(protocol::udp);
  for (const auto* target : {"172.19.0.2", "fd00:19::2"}) {
    auto server = make_socket(target, SOCK_DGRAM);
    auto where = socket_address{ip(target), 80};
    ASSERT_EQ(::bind(server.get(), where.data(), where.size()), 0);
    auto hosts = ip(target).is_v6()
                   ? std::vector{"::1"}
                   : std::vector{"127.0.0.1", "127.0.0.9", "10.0.0.1"};
    for (const auto* host : hosts) {
      auto client = dial(host, 8080, SOCK_DGRAM); // Connected: no other
      ASSERT_TRUE(client) << host;                // address may answer.
      ASSERT_EQ(::send(client.get(), "ask", 3, 0), 3);
      auto buffer = std::array<char, 64>{};
      auto peer = sockaddr_storage{};
      auto length = socklen_t{sizeof(peer)};
      ASSERT_EQ(::recvfrom(server.get(), buffer.data(), buffer.size(), 0,
                           reinterpret_cast<sockaddr*>(&peer), &length),
                3)
        << host;
      ::sendto(server.get(), host, std::strlen(host), 0,
               reinterpret_cast<sockaddr*>(&peer), length);
      EXPECT_EQ(read_some(client.get()), host);
    }
  }
}

TEST_F(SharedSocket, IsNotTakenWhereThereIsNone) {
  auto ports = both_ports(protocol::tcp);
  auto none = std::vector<std::shared_ptr<netns::held_port>>{nullptr};
  auto done = proxy->add({&ports[1], 1}, none);
  ASSERT_FALSE(done.has_value());
  EXPECT_EQ(done.error().code, ec::not_found);
  // A socket for IPv6 alone cannot be shared.
  auto six_only = sockets->hold(protocol::tcp, ip("::"), 8080, false);
  ASSERT_TRUE(six_only.has_value());
  auto held
    = std::vector<std::shared_ptr<netns::held_port>>{*six_only, nullptr};
  EXPECT_FALSE(proxy->add(ports, held).has_value());
  EXPECT_TRUE(proxy->list()->empty());
}

TEST_F(SharedSocket, IsInTheWayOfBothFamilies) {
  auto both = sockets->hold_both(protocol::tcp, 8080);
  ASSERT_TRUE(both.has_value());
  for (const auto* address : {"0.0.0.0", "127.0.0.1", "::", "::1"}) {
    auto other = sockets->hold(protocol::tcp, ip(address), 8080);
    ASSERT_FALSE(other.has_value()) << address;
    EXPECT_EQ(other.error().os_error, EADDRINUSE);
  }
  auto again = sockets->hold_both(protocol::tcp, 8080);
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(again.error().os_error, EADDRINUSE);
}

} // namespace
} // namespace troupe
