// Rows MP: what a list of wishes becomes.

#include "fixture.hpp"

namespace troupe::drivers {
namespace {

using test::ip;
using lines = std::vector<std::string>;

class PortMapping : public test::book_fixture {};

TEST_F(PortMapping, TakesOneNumberForBothFamilies) {
  EXPECT_EQ(publish(endpoint(), {"22", "80"}),
            (lines{"0.0.0.0:32768->22/tcp", "[::]:32768->22/tcp",
                   "0.0.0.0:32769->80/tcp", "[::]:32769->80/tcp"}));
}

TEST_F(PortMapping, TakesTheGivenHostPortInBothFamilies) {
  EXPECT_EQ(publish(endpoint(), {"8080:80"}),
            (lines{"0.0.0.0:8080->80/tcp", "[::]:8080->80/tcp"}));
}

TEST_F(PortMapping, TakesAGivenAddressOnly) {
  EXPECT_EQ(publish(endpoint(), {"[::ffff:127.0.0.1]:8080:80"}),
            (lines{"127.0.0.1:8080->80/tcp"}));
  EXPECT_EQ(publish(endpoint(), {"[fd00::1]:8080:80"}),
            (lines{"[fd00::1]:8080->80/tcp"}));
}

TEST_F(PortMapping, TakesTheFirstFreePortOfARange) {
  host.occupy(protocol::tcp, ip("0.0.0.0"), 8080);
  EXPECT_EQ(publish(endpoint(), {"8080-8081:80"}),
            (lines{"0.0.0.0:8081->80/tcp", "[::]:8081->80/tcp"}));
}

TEST_F(PortMapping, SkipsANumberThatOneFamilyLacks) {
  host.occupy(protocol::tcp, ip("::"), 8080);
  EXPECT_EQ(publish(endpoint(), {"8080-8081:80"}),
            (lines{"0.0.0.0:8081->80/tcp", "[::]:8081->80/tcp"}));
  EXPECT_EQ(host.held(), (lines{"0.0.0.0:8081/tcp", "[::]:8081/tcp"}));
}

TEST_F(PortMapping, FreesAllWhenARangeIsTooSmall) {
  host.occupy(protocol::tcp, ip("0.0.0.0"), 8081, {"httpd", 4711, 0});
  auto ports = lines{"8080-8082:80", "8080-8082:81", "8080-8082:82"};
  auto done = book->publish(endpoint(), wishes(ports), options);
  ASSERT_FALSE(done.has_value());
  EXPECT_EQ(done.error().code, ec::conflict);
  EXPECT_NE(
    done.error().message.find("all host ports from 8080 to 8082 are taken"),
    std::string::npos)
    << done.error().message;
  EXPECT_TRUE(host.held().empty());
  // One to one: the middle one is busy.
  auto pairs = publish(endpoint(), {"8080-8082:80-82"});
  EXPECT_EQ(pairs, (lines{"publish 0.0.0.0:8081/tcp: the port is in use by "
                          "process \"httpd\" (pid 4711)"}));
  EXPECT_TRUE(host.held().empty());
}

TEST_F(PortMapping, LeadsFromIpv6ToIpv4ByTheProxy) {
  EXPECT_EQ(publish(endpoint("web", false), {"80"}),
            (lines{"0.0.0.0:32768->80/tcp", "[::]:32768->80/tcp"}));
  for (const auto& x : host.served())
    EXPECT_EQ(x.target, ip("172.19.0.2"));
}

TEST_F(PortMapping, StaysInIpv4WithoutTheProxyOrWhenToldTo) {
  options.six_to_four = false;
  EXPECT_EQ(publish(endpoint("web", false), {"80"}),
            (lines{"0.0.0.0:32768->80/tcp"}));
  options.six_to_four = true;
  open_book(false);
  host.kill_proxy();
  EXPECT_EQ(publish(endpoint("web", false), {"80"}),
            (lines{"0.0.0.0:32768->80/tcp"}));
}

TEST_F(PortMapping, TakesTheDefaultAddress) {
  options.default_address = ip("127.0.0.1");
  EXPECT_EQ(publish(endpoint(), {"80"}), (lines{"127.0.0.1:32768->80/tcp"}));
  options.default_address = ip("::1");
  EXPECT_EQ(publish(endpoint("db"), {"80"}), (lines{"[::1]:32768->80/tcp"}));
  options.default_address = ip("0.0.0.0");
  EXPECT_EQ(publish(endpoint("db"), {"81"}),
            (lines{"0.0.0.0:32769->81/tcp", "[::]:32769->81/tcp"}));
}

TEST_F(PortMapping, TakesNoHostPortInRoutedMode) {
  options.mode_v6 = publish_mode::routed;
  EXPECT_EQ(publish(endpoint(), {"80"}),
            (lines{"0.0.0.0:32768->80/tcp", ":: 80/tcp"}));
  options.mode_v4 = publish_mode::routed;
  EXPECT_EQ(publish(endpoint("db"), {"2222:22"}),
            (lines{"0.0.0.0 22/tcp", ":: 22/tcp"}));
  EXPECT_EQ(host.held(), (lines{"0.0.0.0:32768/tcp"}));
  options.mode_v6 = publish_mode::nat;
  EXPECT_EQ(publish(endpoint("cache"), {"8080:80"}),
            (lines{"0.0.0.0 80/tcp", "[::]:8080->80/tcp"}));
}

TEST_F(PortMapping, KeepsToTheDefaultAddressInRoutedModeToo) {
  options.mode_v4 = publish_mode::routed;
  options.default_address = ip("127.0.0.1");
  EXPECT_EQ(publish(endpoint(), {"80"}), (lines{"0.0.0.0 80/tcp"}));
  options.default_address = ip("::1");
  EXPECT_EQ(publish(endpoint("db"), {"80"}), (lines{"[::1]:32768->80/tcp"}));
}

TEST_F(PortMapping, ServesExactPortsBeforeRanges) {
  EXPECT_EQ(
    publish(endpoint(), {"10.0.0.1:12345-12346:80", "10.0.0.1:12345:81"}),
    (lines{"10.0.0.1:12346->80/tcp", "10.0.0.1:12345->81/tcp"}));
}

TEST_F(PortMapping, ServesRangesBeforeAutomaticPorts) {
  EXPECT_EQ(publish(endpoint(), {"80", "32768-32769:81", "32768:82"}),
            (lines{"0.0.0.0:32770->80/tcp", "[::]:32770->80/tcp",
                   "0.0.0.0:32769->81/tcp", "[::]:32769->81/tcp",
                   "0.0.0.0:32768->82/tcp", "[::]:32768->82/tcp"}));
}

TEST_F(PortMapping, StaysInIpv4OnAHostWithoutIpv6) {
  host.has_ipv6 = false;
  EXPECT_EQ(publish(endpoint(), {"80"}), (lines{"0.0.0.0:32768->80/tcp"}));
}

TEST_F(PortMapping, FreesThePortAtOnce) {
  publish(endpoint(), {"8080:80"});
  EXPECT_TRUE(book->release(endpoint().id).has_value());
  EXPECT_TRUE(host.held().empty());
  EXPECT_EQ(publish(endpoint("db"), {"8080:80"}).size(), 2U);
}

TEST_F(PortMapping, AllowsOtherLoopbackAddresses) {
  EXPECT_EQ(publish(endpoint(), {"127.0.0.1:8080:80"}).size(), 1U);
  EXPECT_EQ(publish(endpoint("db"), {"127.0.0.2:8080:80"}),
            (lines{"127.0.0.2:8080->80/tcp"}));
}

TEST_F(PortMapping, RefusesAnAddressThatAnotherIncludes) {
  publish(endpoint(), {"0.0.0.0:8080:80"});
  EXPECT_NE(publish(endpoint("db"), {"127.0.0.1:8080:80"})
              .front()
              .find("already published by endpoint \"web\" ("),
            std::string::npos);
  publish(endpoint(), {"127.0.0.1:8081:80"});
  EXPECT_NE(publish(endpoint("db"), {"0.0.0.0:8081:80"})
              .front()
              .find("already published by endpoint \"web\" ("),
            std::string::npos);
}

TEST_F(PortMapping, GivesThreeNumbersForThreePorts) {
  for (auto proto : {"tcp", "udp", "sctp"}) {
    auto suffix = std::string{"/"} + proto;
    auto owner = endpoint(proto);
    auto ports = lines{"81" + suffix, "82" + suffix, "127.0.0.1:80" + suffix};
    auto done = book->publish(owner, wishes(ports), options);
    ASSERT_TRUE(done.has_value()) << done.error().message;
    auto by_port = std::map<uint16_t, std::set<uint16_t>>{};
    for (const auto& x : *done)
      by_port[x.port].insert(x.host_port);
    auto numbers = std::set<uint16_t>{};
    for (const auto& [port, host_ports] : by_port) {
      EXPECT_EQ(host_ports.size(), 1U) << port;
      numbers.insert(*host_ports.begin());
    }
    EXPECT_EQ(numbers.size(), 3U) << proto;
  }
}

TEST_F(PortMapping, ShowsWhatInspectShows) {
  publish(endpoint(), {"8080:80"});
  EXPECT_EQ(texts(book->bindings(endpoint().id)),
            (lines{"0.0.0.0:8080->80/tcp", "[::]:8080->80/tcp"}));
}

} // namespace
} // namespace troupe::drivers
