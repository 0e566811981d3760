#include "troupe/tests/unit/tools/server_fixture.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include <sys/socket.h>
#include <unistd.h>

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
  fake_->hold = true;
  start(small());
  auto first = client();
  auto second = client();
  ASSERT_TRUE(first.send(status_request));
  ASSERT_TRUE(second.send(status_request));
  ASSERT_TRUE(eventually([this] {
    return fake_->held() == 2;
  }));
  auto got = client().ask("GET", "/v1/status");
  EXPECT_EQ(got.status, 503);
  EXPECT_NE(got.head.find("Retry-After: 1"), std::string::npos);
  fake_->release();
  EXPECT_EQ(first.receive().status, 200);
  EXPECT_EQ(second.receive().status, 200);
  EXPECT_EQ(client().ask("GET", "/v1/status").status, 200);
}

TEST_F(ServerLimits, WaitsForTheBackendLongerThanForAClient) {
  fake_->hold = true;
  start(impatient());
  auto c = client();
  ASSERT_TRUE(c.send(status_request));
  ASSERT_TRUE(eventually([this] {
    return fake_->held() == 1;
  }));
  std::this_thread::sleep_for(std::chrono::milliseconds{2'700});
  fake_->release();
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
    std::this_thread::sleep_for(std::chrono::milliseconds{100});
    open = c.send("a");
  }
  EXPECT_LT(drops, 600);
}

TEST_F(ServerLimits, SurvivesClientsThatHangUp) {
  fake_->hold = true;
  auto options = server_options{};
  start(options);
  for (auto i = 0; i < 20; ++i) {
    auto c = client();
    ASSERT_TRUE(c.send(status_request));
    (void)client().send("POST /v1/networks HTTP/1.1\r\nHost: x\r\n"
                        "Content-Length: 500\r\n\r\nhalf");
    (void)client().send("GET /v1/st");
    ASSERT_TRUE(eventually([this, i] {
      return fake_->held() == static_cast<size_t>(i) + 1;
    }));
  }
  fake_->release();
  EXPECT_EQ(client().ask("GET", "/v1/status").status, 200);
}

TEST_F(ServerLimits, ServesManyClientsAtOnce) {
  auto options = server_options{};
  start(options);
  auto good = std::atomic<int>{0};
  auto threads = std::vector<std::thread>{};
  for (auto i = 0; i < 64; ++i)
    threads.emplace_back([this, i, &good] {
      auto name = "net" + std::to_string(i);
      auto c = client();
      good += c.ask("POST", "/v1/networks",
                    R"({"spec":{"name":")" + name + R"("}})")
                .status
              == 201;
      for (auto n = 0; n < 10; ++n)
        good += c.ask("GET", "/v1/networks/" + name).status == 200;
      good += c.ask("DELETE", "/v1/networks/" + name).status == 200;
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

TEST_F(ServerLimits, LimitsTheConnectionsOfEachUser) {
  auto registry = tools::connection_registry{2};
  auto pairs = std::vector<std::pair<netns::unique_fd, netns::unique_fd>>{};
  auto make = [&pairs, &registry] {
    int fds[2] = {};
    EXPECT_EQ(0, ::socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    pairs.emplace_back(fds[0], fds[1]);
    return registry.add(fds[0]);
  };
  auto first = make();
  auto second = make();
  auto third = make();
  EXPECT_FALSE(first->refused);
  EXPECT_FALSE(second->refused);
  // Root may always look what is going on.
  EXPECT_EQ(third->refused, ::getuid() != 0);
  registry.remove(first);
  EXPECT_EQ(registry.size(), 2U);
}

} // namespace

} // namespace troupe::test
