// What a restart does with recorded ports that cannot be had, and with many.

#include "troupe/tests/system/publish/fixture.hpp"

#include <thread>

namespace troupe::test {

namespace {

using kind = probe::kind;
using namespace std::chrono_literals;

} // namespace

TEST_F(Publish, OneMissingHostAddressDoesNotCloseTheOtherPorts) {
  ASSERT_EQ(run({"ip", "address", "add", "192.0.2.9/24", "dev", "up0"}).code,
            0);
  attach_web({"192.0.2.9:80:80", "8080:80", "127.0.0.1:9000:80"});
  auto service = echo_service{};
  service.add(keys_["web"], 80);
  service.start();
  EXPECT_NE(reach(street_, kind::tcp, ip("192.0.2.9"), 80), "");
  ASSERT_EQ(run({"ip", "address", "del", "192.0.2.9/24", "dev", "up0"}).code,
            0);
  daemon().kill();
  ASSERT_EQ(run({"pkill", "-x", "troupe-proxy"}).code, 0);
  for (auto i = 0; i < 500 && run({"pgrep", "-x", "troupe-proxy"}).code == 0;
       ++i)
    std::this_thread::sleep_for(20ms);
  ASSERT_EQ(daemon().start(), "");
  reconnect();
  EXPECT_NE(reach(street_, kind::tcp, ip(uplink_v4), 8080), "");
  EXPECT_NE(reach(street_, kind::tcp, ip(uplink_v6), 8080), "");
  EXPECT_NE(reach("", kind::tcp, ip("127.0.0.1"), 9000), "");
  auto said = must("GET", "/v1/status").dump();
  EXPECT_NE(said.find("192.0.2.9:80->80/tcp is not published"),
            std::string::npos)
    << said;
  EXPECT_NE(said.find("address 192.0.2.9 is not on this host"),
            std::string::npos)
    << said;
  EXPECT_NE(doctor().find("192.0.2.9"), std::string::npos);
  // More ports are published, and some given back, while one is missing.
  EXPECT_EQ(daemon().troupe({"publish", "a/w", "8082:80"}).code, 0);
  EXPECT_NE(reach(street_, kind::tcp, ip(uplink_v4), 8082), "");
  EXPECT_NE(reach(street_, kind::tcp, ip(uplink_v4), 8080), "");
  EXPECT_EQ(daemon().troupe({"unpublish", "a/w", "8082:80"}).code, 0);
  // Nobody has to ask for it.
  ASSERT_EQ(run({"ip", "address", "add", "192.0.2.9/24", "dev", "up0"}).code,
            0);
  auto reached = std::string{};
  for (auto i = 0; i < 200 && reached.empty(); ++i) {
    std::this_thread::sleep_for(100ms);
    reached = reach(street_, kind::tcp, ip("192.0.2.9"), 80);
  }
  EXPECT_NE(reached, "");
  EXPECT_EQ(doctor(), "");
}

TEST_F(Publish, TenThousandPortsAreOneRecordAndQuick) {
  const auto began = std::chrono::steady_clock::now();
  attach_web({"10000-20000:10000-20000/udp"});
  const auto took = std::chrono::steady_clock::now() - began;
  std::printf("10001 ports: %lld ms\n",
              static_cast<long long>(took / std::chrono::milliseconds{1}));
  EXPECT_LT(took, 10s);
  auto seen = must("GET", "/v1/networks/a/endpoints/w");
  ASSERT_EQ(seen.at("bindings").size(), 2U) << seen.at("bindings").dump();
  EXPECT_EQ(seen.at("bindings")[0].value("port_end", 0), 20'000);
  auto service = echo_service{};
  for (uint16_t port : {10'000, 12'345, 20'000})
    service.add(keys_["web"], port);
  service.start();
  auto check = [&] {
    for (uint16_t port : {10'000, 12'345, 20'000}) {
      EXPECT_NE(reach(street_, kind::udp, ip(uplink_v4), port), "") << port;
      EXPECT_NE(reach(street_, kind::udp, ip(uplink_v6), port), "") << port;
      EXPECT_NE(reach("", kind::udp, ip("::1"), port), "") << port;
    }
  };
  check();
  EXPECT_EQ(doctor(), "");
  daemon().kill();
  ASSERT_EQ(daemon().start(), "");
  reconnect();
  check();
  // One of them can be given back; the range is two then.
  EXPECT_EQ(daemon().troupe({"unpublish", "a/w", "12345/udp"}).code, 0);
  EXPECT_EQ(reach(street_, kind::udp, ip(uplink_v4), 12'345), "");
  seen = must("GET", "/v1/networks/a/endpoints/w");
  EXPECT_EQ(seen.at("bindings").size(), 4U) << seen.at("bindings").dump();
  EXPECT_EQ(doctor(), "");
}

} // namespace troupe::test
