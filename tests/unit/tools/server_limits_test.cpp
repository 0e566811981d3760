#include "troupe/tests/unit/tools/server_fixture.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace troupe::test {

namespace {

using ServerLimits = server_fixture;
using tools::server_options;

constexpr auto status_request = "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n";

server_options small() {
  auto result = server_options{};
  result.max_body_bytes = 1'000;
  result.max_requests = 2;
  result.idle_timeout = std::chrono::seconds{60};
  result.receive_timeout = std::chrono::seconds{60};
  return result;
}

server_options impatient() {
  auto result = server_options{};
  result.idle_timeout = std::chrono::seconds{1};
  return result;
}

TEST_F(ServerLimits, RefusesABodyThatAnnouncesTooMuch) {
  start(small());
  auto c = client();
  ASSERT_TRUE(c.send("POST /v1/networks HTTP/1.1\r\nHost: x\r\n"
                     "Content-Length: 1001\r\n\r\n"));
  EXPECT_EQ(c.receive().status, 413);
  EXPECT_TRUE(c.is_closed());
}

TEST_F(ServerLimits, RefusesABodyThatGrowsTooLarge) {
  start(small());
  auto c = client();
  ASSERT_TRUE(c.send("POST /v1/networks HTTP/1.1\r\nHost: x\r\n"
                     "Transfer-Encoding: chunked\r\n\r\n"));
  for (auto i = 0; i < 3; ++i)
    ASSERT_TRUE(c.send("1f4\r\n" + std::string(500, ' ') + "\r\n"));
  ASSERT_TRUE(c.send("0\r\n\r\n"));
  EXPECT_EQ(c.receive().status, 413);
}

TEST_F(ServerLimits, HangsUpOnABodyWithoutEnd) {
  start(small());
  auto c = client();
  ASSERT_TRUE(c.send("POST /v1/networks HTTP/1.1\r\nHost: x\r\n"
                     "Transfer-Encoding: chunked\r\n\r\n"));
  auto sent = 0;
  while (sent < 10'000 && c.send("1f4\r\n" + std::string(500, ' ') + "\r\n"))
    ++sent;
  EXPECT_LT(sent, 10'000);
}

TEST_F(ServerLimits, AcceptsABodyOfTheLargestSize) {
  start(small());
  auto body = std::string{R"({"spec":{"name":"web"}})"};
  body.resize(1'000, ' ');
  EXPECT_EQ(client().ask("POST", "/v1/networks", body).status, 201);
}

TEST_F(ServerLimits, RefusesHeadersWithoutEnd) {
  start(small());
  auto c = client();
  (void)c.send("GET /v1/status HTTP/1.1\r\nHost: x\r\nX: "
               + std::string(100'000, 'a'));
  EXPECT_GE(c.receive().status, 400);
}

TEST_F(ServerLimits, AnswersBusyOverTheLimitOfRequests) {
  backend_->hold = true;
  start(small());
  auto first = client();
  auto second = client();
  constexpr auto request = "GET /v1/networks HTTP/1.1\r\nHost: x\r\n\r\n";
  ASSERT_TRUE(first.send(request));
  ASSERT_TRUE(second.send(request));
  ASSERT_TRUE(eventually([this] {
    return backend_->held() == 2;
  }));
  auto got = client().ask("GET", "/v1/networks");
  EXPECT_EQ(got.status, 503);
  EXPECT_NE(got.head.find("Retry-After: 1"), std::string::npos);
  backend_->release();
  EXPECT_EQ(first.receive().status, 200);
  EXPECT_EQ(second.receive().status, 200);
  EXPECT_EQ(client().ask("GET", "/v1/status").status, 200);
}

TEST_F(ServerLimits, TellsHowItIsWhenAllPlacesAreTaken) {
  backend_->hold = true;
  auto options = small();
  options.max_inquiries = 3;
  start(options);
  auto busy = std::vector<raw_client>{};
  for (auto i = 0; i < 2; ++i) {
    busy.push_back(client());
    ASSERT_TRUE(
      busy.back().send("GET /v1/networks HTTP/1.1\r\nHost: x\r\n\r\n"));
  }
  ASSERT_TRUE(eventually([this] {
    return backend_->held() == 2;
  }));
  auto asking = std::vector<raw_client>{};
  for (const auto* target :
       {"GET /v1/status", "GET /metrics", "POST /v1/doctor"}) {
    asking.push_back(client());
    ASSERT_TRUE(asking.back().send(
      std::string{target}
      + " HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"));
  }
  EXPECT_TRUE(eventually([this] {
    return backend_->held() == 5;
  }));
  // They have a limit of their own.
  EXPECT_EQ(client().ask("GET", "/v1/status").status, 503);
  backend_->release();
  for (auto& x : asking)
    EXPECT_EQ(x.receive().status, 200);
}

TEST_F(ServerLimits, WaitsForTheBackendLongerThanForAClient) {
  backend_->hold = true;
  start(impatient());
  auto c = client();
  ASSERT_TRUE(c.send(status_request));
  ASSERT_TRUE(eventually([this] {
    return backend_->held() == 1;
  }));
  // Longer than any of the server's own limits, which is what is tested.
  std::this_thread::sleep_for(std::chrono::milliseconds{2'700});
  backend_->release();
  EXPECT_EQ(c.receive().status, 200);
}

TEST_F(ServerLimits, ClosesIdleConnections) {
  start(impatient());
  auto c = client();
  EXPECT_TRUE(c.is_closed());
}

TEST_F(ServerLimits, ClosesOnClientsThatDripTheirRequest) {
  auto options = server_options{};
  options.idle_timeout = std::chrono::seconds{60};
  options.receive_timeout = std::chrono::milliseconds{500};
  start(options);
  auto c = client();
  auto open = c.send("GET /v1/status HTTP/1.1\r\nX: ");
  auto drops = 0;
  for (; open && drops < 600; ++drops) {
    std::this_thread::sleep_for(std::chrono::milliseconds{100}); // A slow one.
    open = c.send("a");
  }
  EXPECT_LT(drops, 600);
}

TEST_F(ServerLimits, SurvivesClientsThatHangUp) {
  backend_->hold = true;
  auto options = server_options{};
  start(options);
  for (auto i = 0; i < 20; ++i) {
    auto c = client();
    ASSERT_TRUE(c.send("GET /v1/networks HTTP/1.1\r\nHost: x\r\n\r\n"));
    (void)client().send("POST /v1/networks HTTP/1.1\r\nHost: x\r\n"
                        "Content-Length: 500\r\n\r\nhalf");
    (void)client().send("GET /v1/st");
    ASSERT_TRUE(eventually([this, i] {
      return backend_->held() == static_cast<size_t>(i) + 1;
    }));
  }
  backend_->release();
  EXPECT_EQ(client().ask("GET", "/v1/status").status, 200);
}

TEST_F(ServerLimits, ServesManyClientsAtOnce) {
  auto options = server_options{};
  start(options);
  auto good = std::atomic<int>{0};
  auto threads = std::vector<std::thread>{};
  for (auto i = 0; i < 64; ++i)
    threads.emplace_back([this, i, &good] {
      auto name = "box" + std::to_string(i);
      auto c = client();
      good += c.ask("POST", "/v1/sandboxes",
                    R"({"spec":{"name":")" + name + R"("}})")
                .status
              == 201;
      for (auto n = 0; n < 10; ++n)
        good += c.ask("GET", "/v1/sandboxes/" + name).status == 200;
      good += c.ask("DELETE", "/v1/sandboxes/" + name).status == 200;
    });
  for (auto& x : threads)
    x.join();
  EXPECT_EQ(good, 64 * 12);
}

TEST_F(ServerLimits, LetsWaitingClientsInWhenOthersLeave) {
  auto options = server_options{};
  options.max_connections = 4;
  start(options);
  auto taken = std::vector<std::unique_ptr<raw_client>>{};
  for (auto i = 0; i < 4; ++i) {
    taken.push_back(std::make_unique<raw_client>(socket_));
    ASSERT_EQ(taken.back()->ask("GET", "/v1/status").status, 200);
  }
  auto late = client();
  ASSERT_TRUE(late.send(status_request));
  taken.clear();
  EXPECT_EQ(late.receive().status, 200);
}

// A descriptor stands for the user of its number divided by ten.
result<tools::peer> somebody(int fd) {
  auto result = tools::peer{};
  result.uid = static_cast<uid_t>(fd / 10);
  return result;
}

TEST(ConnectionRegistry, LimitsTheConnectionsOfEachUser) {
  auto registry = tools::connection_registry{2, somebody};
  auto first = registry.add(10);
  EXPECT_FALSE(first->refused);
  EXPECT_FALSE(registry.add(11)->refused);
  auto third = registry.add(12);
  EXPECT_TRUE(third->refused);
  EXPECT_FALSE(registry.add(20)->refused) << "that is another user";
  registry.remove(third);
  EXPECT_TRUE(registry.add(13)->refused);
  registry.remove(first);
  EXPECT_TRUE(registry.add(14)->refused) << "refused ones count until they go";
  EXPECT_EQ(registry.size(), 4U);
}

TEST(ConnectionRegistry, LetsRootLookAlways) {
  auto registry = tools::connection_registry{2, somebody};
  for (auto fd = 0; fd < 5; ++fd)
    EXPECT_FALSE(registry.add(fd)->refused);
}

TEST(ConnectionRegistry, RefusesWhoCannotBeIdentified) {
  auto registry = tools::connection_registry{
    2, [](int) -> result<tools::peer> {
      return fail(error{ec::internal, "no identity", {}, 0});
    }};
  EXPECT_TRUE(registry.add(1)->refused);
}

} // namespace

} // namespace troupe::test
