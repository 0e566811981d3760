#include "fixture.hpp"

#include <sys/resource.h>

namespace troupe {
namespace {

using namespace test;

class PortSockets : public ports_test {
protected:
  int refusal(protocol proto, const std::string& address, uint16_t port) {
    auto held = sockets->hold(proto, ip(address), port);
    return held ? 0 : held.error().os_error;
  }
};

TEST_F(PortSockets, KnowWhoIsInTheWay) {
  for (auto proto : {protocol::tcp, protocol::udp}) {
    struct row {
      std::string there;
      std::string wanted;
      int os_error;
    };
    auto rows = std::vector<row>{
      {"0.0.0.0", "0.0.0.0", EADDRINUSE},
      {"0.0.0.0", "127.0.0.1", EADDRINUSE},
      {"127.0.0.1", "0.0.0.0", EADDRINUSE},
      {"127.0.0.1", "127.0.0.2", 0},
      {"0.0.0.0", "::", 0},
      {"::", "::1", EADDRINUSE},
      {"::1", "fd00:19::2", 0},
      {"127.0.0.1", "192.0.2.1", EADDRNOTAVAIL},
      {"127.0.0.1", "2001:db8::1", EADDRNOTAVAIL},
    };
    for (const auto& x : rows) {
      auto held = sockets->hold(proto, ip(x.there), 8080);
      ASSERT_TRUE(held.has_value()) << x.there;
      EXPECT_EQ(refusal(proto, x.wanted, 8080), x.os_error)
        << to_string(proto) << " " << x.there << " " << x.wanted;
      if (x.os_error != EADDRINUSE)
        continue;
      auto user = sockets->user_of(proto, ip(x.wanted), 8080);
      ASSERT_TRUE(user.has_value()) << to_string(proto) << x.there;
      EXPECT_EQ(user->pid, getpid());
      EXPECT_EQ(user->name, "system_ports");
    }
  }
}

TEST_F(PortSockets, AreInTheWayOfOthers) {
  auto held = sockets->hold(protocol::tcp, ip("0.0.0.0"), 8080);
  ASSERT_TRUE(held.has_value());
  auto other = make_socket("127.0.0.1", SOCK_STREAM);
  auto on = 1;
  ::setsockopt(other.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  auto where = socket_address{ip("127.0.0.1"), 8080};
  EXPECT_EQ(::bind(other.get(), where.data(), where.size()), -1);
  held->reset();
  EXPECT_EQ(::bind(other.get(), where.data(), where.size()), 0);
}

TEST_F(PortSockets, TakeAPortWhoseConnectionsAreInTimeWait) {
  for (auto round = 0; round < 3; ++round) {
    auto server = tcp_server{"127.0.0.1", 8080, [](int) {}};
    auto fd = dial("127.0.0.1", 8080);
    ASSERT_TRUE(fd);
    EXPECT_TRUE(read_all(fd.get()).empty()); // The server closed first.
  }
  EXPECT_EQ(refusal(protocol::tcp, "0.0.0.0", 8080), 0);
}

TEST_F(PortSockets, SeeADualStackListener) {
  auto other = make_socket("::", SOCK_STREAM);
  auto where = socket_address{ip("::"), 8080};
  ASSERT_EQ(::bind(other.get(), where.data(), where.size()), 0);
  ASSERT_EQ(::listen(other.get(), 1), 0);
  EXPECT_EQ(refusal(protocol::tcp, "0.0.0.0", 8080), EADDRINUSE);
  auto user = sockets->user_of(protocol::tcp, ip("0.0.0.0"), 8080);
  ASSERT_TRUE(user.has_value());
  EXPECT_EQ(user->pid, getpid());
}

TEST_F(PortSockets, SayThatThereAreNoDescriptors) {
  auto before = rlimit{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  auto lowest_free = unique_fd{::dup(0)};
  auto few = rlimit{static_cast<rlim_t>(lowest_free.get()), before.rlim_max};
  lowest_free = unique_fd{};
  ::setrlimit(RLIMIT_NOFILE, &few);
  auto number = refusal(protocol::tcp, "127.0.0.1", 8080);
  ::setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_EQ(number, EMFILE);
  EXPECT_EQ(refusal(protocol::tcp, "127.0.0.1", 8080), 0);
}

TEST_F(PortSockets, ReadTheKernelsLimits) {
  EXPECT_EQ(std::system("echo '40000 40010' > "
                        "/proc/sys/net/ipv4/ip_local_port_range"),
            0);
  EXPECT_EQ(std::system("echo '8080,9000-9002' > "
                        "/proc/sys/net/ipv4/ip_local_reserved_ports"),
            0);
  auto limits = sockets->limits();
  EXPECT_EQ(limits.first, 40'000);
  EXPECT_EQ(limits.last, 40'010);
  EXPECT_EQ(limits.reserved.count(), 4U);
  EXPECT_TRUE(limits.reserved.test(9'002));
}

TEST_F(PortSockets, NoticeAHostWithoutIpv6) {
  EXPECT_TRUE(sockets->has_family(ip_family::v6));
  EXPECT_EQ(std::system("ip -6 addr flush dev lo"), 0);
  EXPECT_EQ(std::system("echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6"),
            0);
  EXPECT_FALSE(sockets->has_family(ip_family::v6));
}

TEST(ReservedPorts, LeaveOutWhatMakesNoSense) {
  EXPECT_EQ(netns::parse_reserved_ports("").count(), 0U);
  EXPECT_EQ(netns::parse_reserved_ports("8080").count(), 1U);
  EXPECT_EQ(netns::parse_reserved_ports("1-3,5,,x,70000-80000,9-").count(), 4U);
  EXPECT_EQ(netns::parse_reserved_ports("1-65535").count(), 65'535U);
}

} // namespace
} // namespace troupe
