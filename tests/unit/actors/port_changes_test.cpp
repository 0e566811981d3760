#include "troupe/actors/objects/port_changes.hpp"

#include <gtest/gtest.h>

namespace troupe::test {

namespace {

port_spec wish(const char* text) {
  return parse_port_spec(text).value();
}

port_binding binding(uint16_t port, const char* host_ip, uint16_t host_port,
                     protocol proto = protocol::tcp) {
  return {proto, port, *ip_address::parse(host_ip), host_port};
}

std::string texts(const std::vector<port_spec>& xs) {
  auto text = std::string{};
  for (const auto& x : xs)
    text += (text.empty() ? "" : " ") + to_string(x);
  return text;
}

} // namespace

TEST(PortChanges, ARequestMeansWhatItNames) {
  const auto x = binding(80, "0.0.0.0", 8'080);
  EXPECT_TRUE(means(wish("80"), x));
  EXPECT_TRUE(means(wish("70-90"), x));
  EXPECT_TRUE(means(wish("8080:80"), x));
  EXPECT_TRUE(means(wish("8000-8100:80"), x));
  EXPECT_TRUE(means(wish("0.0.0.0::80"), x));
  EXPECT_FALSE(means(wish("81"), x));
  EXPECT_FALSE(means(wish("80/udp"), x));
  EXPECT_FALSE(means(wish("8081:80"), x));
  EXPECT_FALSE(means(wish("127.0.0.1::80"), x));
}

TEST(PortChanges, PartsBindings) {
  const auto parted
    = part_bindings({binding(80, "0.0.0.0", 8'080), binding(80, "::", 8'080),
                     binding(81, "0.0.0.0", 8'081)},
                    {wish("80")});
  EXPECT_EQ(parted.removed.size(), 2U);
  ASSERT_EQ(parted.kept.size(), 1U);
  EXPECT_EQ(parted.kept.front().port, 81);
}

TEST(PortChanges, AWishGoesWithItsPort) {
  const auto gone = std::vector{binding(80, "0.0.0.0", 8'080)};
  EXPECT_EQ(texts(without_ports({wish("8080:80"), wish("443")}, gone)),
            texts({wish("443")}));
  // Another host port of the same container port stays.
  EXPECT_EQ(texts(without_ports({wish("8080:80"), wish("9090:80")}, gone)),
            texts({wish("9090:80")}));
}

TEST(PortChanges, ARangeIsCut) {
  EXPECT_EQ(texts(without_ports({wish("8080-8082:80-82")},
                                {binding(81, "0.0.0.0", 8'081)})),
            texts({wish("8080:80"), wish("8082:82")}));
  // What stays together is one wish.
  EXPECT_EQ(
    texts(without_ports({wish("8000-17999:10000-19999/udp")},
                        {binding(12'345, "::", 10'345, protocol::udp),
                         binding(12'345, "0.0.0.0", 10'345, protocol::udp)})),
    texts({wish("8000-10344:10000-12344/udp"),
           wish("10346-17999:12346-19999/udp")}));
}

TEST(PortChanges, WishesGoByTheRuleForBindings) {
  const auto any
    = std::vector{*ip_address::parse("0.0.0.0"), *ip_address::parse("::")};
  auto rest = [&](const char* wished, const char* request) {
    return texts(without_wishes({wish(wished)}, {wish(request)}, any));
  };
  EXPECT_EQ(rest("7000-7009", "7000-7009"), "");
  EXPECT_EQ(rest("7000-7009", "7001-7008"), "7000/tcp 7009/tcp");
  EXPECT_EQ(rest("8080-8082:80-82", "81"), "8080:80/tcp 8082:82/tcp");
  EXPECT_EQ(rest("8080-8082:80-82", "8080-8081:80-81"), "8082:82/tcp");
  EXPECT_EQ(rest("8080:80", "8081:80"), "8080:80/tcp");
  EXPECT_EQ(rest("8080:80", "80/udp"), "8080:80/tcp");
  EXPECT_EQ(rest("127.0.0.1:8080:80", "127.0.0.2::80"),
            "127.0.0.1:8080:80/tcp");
  EXPECT_EQ(rest("127.0.0.1:8080:80", "127.0.0.1::80"), "");
  // One of both families stays.
  EXPECT_EQ(rest("8080-8089:80", "0.0.0.0::80"), "[::]:8080-8089:80/tcp");
  EXPECT_EQ(rest("8080-8081:80-81", "[::]:8080:80"),
            "0.0.0.0:8080:80/tcp 8081:81/tcp");
  // A choice of host ports is meant as a whole.
  EXPECT_EQ(rest("8080-8089:80", "8080-8088:80"), "8080-8089:80/tcp");
  EXPECT_EQ(rest("8080-8089:80", "8080-8089:80"), "");
}

} // namespace troupe::test
