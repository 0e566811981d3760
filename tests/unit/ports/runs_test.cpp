#include "troupe/drivers/publish/runs.hpp"

#include <gtest/gtest.h>

namespace troupe::test {

namespace {

drivers::told_port
told(uint16_t host_port, uint16_t port, const std::string& reason = "taken",
     protocol proto = protocol::tcp) {
  auto x = port_binding{};
  x.proto = proto;
  x.port = port;
  x.host_port = host_port;
  return {x, reason};
}

std::vector<std::string> texts(std::vector<drivers::told_port> xs) {
  auto result = std::vector<std::string>{};
  for (const auto& x : drivers::in_runs(std::move(xs)))
    result.push_back(to_string(x.binding) + " " + x.reason);
  return result;
}

using lines = std::vector<std::string>;

} // namespace

TEST(PortRuns, AreOneEach) {
  EXPECT_EQ(texts({told(8002, 82), told(8000, 80), told(8001, 81)}),
            lines{"0.0.0.0:8000-8002->80-82/tcp taken"});
  EXPECT_TRUE(texts({}).empty());
}

TEST(PortRuns, EndAtAGapAnotherReasonOrProtocol) {
  EXPECT_EQ(texts({told(8000, 80), told(8001, 81), told(8003, 83)}),
            (lines{"0.0.0.0:8000-8001->80-81/tcp taken",
                   "0.0.0.0:8003->83/tcp taken"}));
  EXPECT_EQ(texts({told(8000, 80), told(8001, 81, "gone")}).size(), 2U);
  EXPECT_EQ(
    texts({told(8000, 80), told(8001, 81, "taken", protocol::udp)}).size(), 2U);
  // Many host ports may lead to one of the container.
  EXPECT_EQ(texts({told(8000, 80), told(8001, 80)}).size(), 2U);
}

TEST(PortRuns, WithoutHostPortsFollowTheContainers) {
  EXPECT_EQ(texts({told(0, 80), told(0, 81)}), lines{"80-81/tcp taken"});
}

TEST(PortRuns, HaveTheReasonOnce) {
  EXPECT_EQ(drivers::reason_of("publish [::1]:80/tcp: the port is in use"),
            "the port is in use");
  EXPECT_EQ(drivers::reason_of("troupe-proxy: gone"), "troupe-proxy: gone");
}

} // namespace troupe::test
