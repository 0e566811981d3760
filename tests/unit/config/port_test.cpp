#include "troupe/config/model/port.hpp"

#include "random_values.hpp"

namespace troupe {
namespace {

TEST(PortSpec, ReadsEveryForm) {
  struct row {
    std::string text;
    std::string canonical;
  };
  auto rows = std::vector<row>{
    {"80", "80/tcp"},
    {"80/udp", "80/udp"},
    {"80/sctp", "80/sctp"},
    {"8080:80", "8080:80/tcp"},
    {"80-82", "80-82/tcp"},
    {"80-80", "80/tcp"},
    {"8080-8082:80-82", "8080-8082:80-82/tcp"},
    {"8080-8082:80", "8080-8082:80/tcp"},
    {"127.0.0.1:8080:80", "127.0.0.1:8080:80/tcp"},
    {"127.0.0.1::80/udp", "127.0.0.1:80/udp"},
    {"127.0.0.1:80", "127.0.0.1:80/tcp"},
    {"0.0.0.0:1:65535", "0.0.0.0:1:65535/tcp"},
    {"[::1]:8080:80", "[::1]:8080:80/tcp"},
    {"[::]::80", "[::]:80/tcp"},
    {"[fd00::1]:80", "[fd00::1]:80/tcp"},
    {"[::ffff:127.0.0.1]:8080:80", "127.0.0.1:8080:80/tcp"},
    {"[127.0.0.1]:8080:80", "127.0.0.1:8080:80/tcp"},
    {"10.0.0.1:8080-8090:80-90/sctp", "10.0.0.1:8080-8090:80-90/sctp"},
  };
  for (const auto& x : rows) {
    auto parsed = parse_port_spec(x.text);
    ASSERT_TRUE(parsed.has_value()) << x.text << ": " << parsed.error().message;
    EXPECT_EQ(to_string(*parsed), x.canonical);
    EXPECT_EQ(parse_port_spec(x.canonical), *parsed);
  }
}

TEST(PortSpec, NamesThePartThatIsBad) {
  struct row {
    std::string text;
    std::string reason;
  };
  auto rows = std::vector<row>{
    {"", "it is empty"},
    {"/tcp", "container port is empty"},
    {"0", "container port is 0"},
    {"8080:0", "container port is 0"},
    {"0:80", "host port is 0"},
    {"65536", "container port \"65536\" is greater than 65535"},
    {"99999999999999999999:80", "is greater than 65535"},
    {"82-80", "container port range \"82-80\" ends before it begins"},
    {"8082-8080:80-82", "host port range \"8082-8080\" ends before"},
    {"8080-8081:80-82", "have different lengths"},
    {"8080:80-82", "have different lengths"},
    {"80-", "container port is empty"},
    {"-80", "container port is empty"},
    {"80-81-82", "is not a number"},
    {"80/", "unknown protocol \"\""},
    {"80/TCP", "unknown protocol \"TCP\""},
    {"80/tcpp", "unknown protocol \"tcpp\""},
    {"80/tcp/udp", "\"80/tcp\" is not a number"},
    {":80", "host port is empty"},
    {"::80", "host address is empty"},
    {"8080:", "container port is empty"},
    {"a:80", "host port \"a\" is not a number"},
    {"1.2.3:80:80", "host address \"1.2.3\" is not an address"},
    {"256.0.0.1:80:80", "host address \"256.0.0.1\""},
    {"localhost:80:80", "host address \"localhost\""},
    {"::1:8080:80", "host address in"},
    {"[::1:8080:80", "lacks a closing bracket"},
    {"[::1]8080:80", "no ':' behind the host address"},
    {"[]:80:80", "host address is empty"},
    {"[fe80::1%eth0]:80:80", "is not an address"},
    {"[fe80::1]:80:80", "link-local"},
    {"224.0.0.1:80:80", "multicast"},
    {"255.255.255.255:80:80", "broadcast"},
    {" 80", "is not a number"},
    {"80\n", "is not a number"},
    {"+80", "is not a number"},
    {"0x50", "is not a number"},
    {"80; flush ruleset", "is not a number"},
    {"\"80\"", "is not a number"},
    {std::string(200, '8'), "longer than 128 bytes"},
    {std::string{"80\0", 3}, "is not a number"},
  };
  for (const auto& x : rows) {
    auto parsed = parse_port_spec(x.text);
    ASSERT_FALSE(parsed.has_value()) << x.text;
    EXPECT_EQ(parsed.error().code, ec::invalid_argument);
    EXPECT_EQ(parsed.error().message.find("port \""), 0U);
    EXPECT_NE(parsed.error().message.find(x.reason), std::string::npos)
      << x.text << ": " << parsed.error().message;
    EXPECT_EQ(parsed.error().message.find('\n'), std::string::npos);
  }
}

TEST(PortSpec, HintsAtTheNearestProtocol) {
  EXPECT_EQ(parse_port_spec("80/tcpp").error().hint, "did you mean \"tcp\"?");
}

// Any text: refused with a reason, or read and written back.
TEST(PortSpec, SurvivesAnyText) {
  test::check([] {
    auto text = *rc::gen::container<std::string>(rc::gen::oneOf(
      rc::gen::element('0', '1', '8', '9', ':', '-', '/', '.', '[', ']'),
      rc::gen::element('t', 'c', 'p', 'u', 'd', 's', 'f', '%', '\0', '\n'),
      rc::gen::arbitrary<char>()));
    auto parsed = parse_port_spec(text);
    if (!parsed) {
      RC_ASSERT(parsed.error().code == ec::invalid_argument);
      RC_ASSERT(!parsed.error().message.empty());
      return;
    }
    RC_ASSERT(check_port(*parsed).has_value());
    RC_ASSERT(parse_port_spec(to_string(*parsed)) == *parsed);
  });
}

// Any value: refused, or its text reads as the same wish.
TEST(PortSpec, ComesBackFromItsText) {
  test::check([] {
    auto x = test::draw<port_spec>();
    if (*rc::gen::arbitrary<bool>()) {
      auto length = *rc::gen::inRange<uint16_t>(0, 9);
      x.port = *rc::gen::inRange<uint16_t>(1, 65'000);
      x.port_end = static_cast<uint16_t>(x.port + length);
      x.host_port = *rc::gen::inRange<uint16_t>(1, 65'000);
      x.host_port_end = static_cast<uint16_t>(x.host_port + length);
    }
    if (!check_port(x))
      return;
    auto back = parse_port_spec(to_string(x));
    RC_ASSERT(back.has_value());
    RC_ASSERT(back->port == x.port);
    RC_ASSERT(back->last_port() == x.last_port());
    RC_ASSERT(back->host_port == x.host_port);
    RC_ASSERT(back->last_host_port() == x.last_host_port());
    RC_ASSERT(back->host_ip == x.host_ip);
    RC_ASSERT(back->proto == x.proto);
  });
}

TEST(PortBinding, IsShownLikeDockerPort) {
  auto v6 = ip_address::from_number(ip_family::v6, 0);
  EXPECT_EQ(to_string(port_binding{protocol::tcp, 80, {}, 8080}),
            "0.0.0.0:8080->80/tcp");
  EXPECT_EQ(to_string(port_binding{protocol::udp, 53, v6, 53}),
            "[::]:53->53/udp");
  EXPECT_EQ(to_string(port_binding{protocol::tcp, 80, {}, 0}), "80/tcp");
}

TEST(ExposedPort, ReadsPortAndProtocol) {
  EXPECT_EQ(parse_exposed_port("80"), (exposed_port{protocol::tcp, 80}));
  EXPECT_EQ(parse_exposed_port("53/udp"), (exposed_port{protocol::udp, 53}));
  for (auto bad : {"", "0", "80-81", "8080:80", "80/x", "/tcp", "70000"})
    EXPECT_FALSE(parse_exposed_port(bad).has_value()) << bad;
}

} // namespace
} // namespace troupe
