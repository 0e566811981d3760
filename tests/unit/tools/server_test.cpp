#include "troupe/tests/unit/tools/server_fixture.hpp"

#include <gtest/gtest.h>

#include <mutex>
#include <thread>

#include <unistd.h>

namespace troupe::test {

namespace {

using Server = server_fixture;
using tools::server_options;

constexpr auto web = R"({"spec":{"name":"web"}})";

TEST_F(Server, CreatesShowsAndRemoves) {
  start();
  auto c = client();
  auto made = c.ask("POST", "/v1/networks", web);
  EXPECT_EQ(made.status, 201);
  EXPECT_NE(made.head.find("application/json"), std::string::npos);
  EXPECT_NE(made.body.find("\"name\":\"web\""), std::string::npos);
  EXPECT_EQ(c.ask("GET", "/v1/networks/web").status, 200);
  EXPECT_EQ(c.ask("DELETE", "/v1/networks/web").status, 200);
  EXPECT_EQ(c.ask("GET", "/v1/networks/web").status, 404);
}

TEST_F(Server, AnswersEachErrorWithItsStatusAndText) {
  const auto cases = std::vector<std::pair<ec, int>>{
    {ec::invalid_argument, 400}, {ec::forbidden, 403}, {ec::not_found, 404},
    {ec::timeout, 408},          {ec::conflict, 409},  {ec::unsupported, 501},
    {ec::unavailable, 503},      {ec::internal, 500}};
  auto code = ec::none;
  backend_->override_reply = [&code](const request&) {
    return result<reply>{fail(code, "message of it", "hint of it")};
  };
  start();
  auto c = client();
  for (auto [wanted, status] : cases) {
    code = wanted;
    auto got = c.ask("GET", "/v1/status");
    EXPECT_EQ(got.status, status);
    EXPECT_EQ(got.body,
              R"({"error":{"code":")" + std::string{to_string(wanted)}
                + R"(","hint":"hint of it","message":"message of it"}})");
  }
}

TEST_F(Server, RefusesUnknownPathsMethodsAndParameters) {
  start();
  auto c = client();
  EXPECT_EQ(c.ask("GET", "/v1/nothing").status, 404);
  EXPECT_EQ(c.ask("GET", "/../etc/passwd").status, 404);
  EXPECT_EQ(c.ask("GET", "/v1/networks?x=1").status, 400);
  EXPECT_EQ(c.ask("GET", "/v1/networks/%zz").status, 400);
  auto got = c.ask("PUT", "/v1/networks", "{}");
  EXPECT_EQ(got.status, 405);
  EXPECT_NE(got.head.find("Allow: POST, GET"), std::string::npos) << got.head;
}

TEST_F(Server, DecodesNamesInPathsOnce) {
  auto seen = std::string{};
  backend_->override_reply
    = [&seen](const request& x) -> std::optional<result<reply>> {
    seen = std::get<inspect_network>(x).network;
    return fail(ec::not_found, "no");
  };
  start();
  EXPECT_EQ(client().ask("GET", "/v1/networks/a%2Fb%2541+c").status, 404);
  EXPECT_EQ(seen, "a/b%41+c");
}

TEST_F(Server, RefusesMalformedBodies) {
  start();
  for (const auto* body : {"{", "[]", "nonsense", "{\"spec\":[]}",
                           "{\"spec\":{\"name\":\"a\",\"name\":\"b\"}}",
                           "{\"spec\":{\"created_ms\":1e99}}", "\xff\xfe"}) {
    auto got = client().ask("POST", "/v1/networks", body);
    EXPECT_EQ(got.status, 400) << body;
    EXPECT_NE(got.body.find("invalid_argument"), std::string::npos);
  }
}

TEST_F(Server, RefusesJsonThatIsTooDeep) {
  start();
  auto deep = "{\"spec\":" + std::string(200'000, '[')
              + std::string(200'000, ']') + "}";
  EXPECT_EQ(client().ask("POST", "/v1/networks", deep).status, 400);
  EXPECT_EQ(client().ask("GET", "/v1/status").status, 200);
}

TEST_F(Server, RefusesRequestsThatAreNoHttp) {
  start();
  auto c = client();
  (void)c.send("\x16\x03\x01 hello\r\n\r\n");
  (void)c.receive();
  EXPECT_EQ(client().ask("GET", "/v1/status").status, 200);
}

TEST_F(Server, KeepsConnectionsOpen) {
  start();
  auto c = client();
  for (auto i = 0; i < 100; ++i)
    ASSERT_EQ(c.ask("GET", "/v1/status").status, 200);
}

TEST_F(Server, AnswersPipelinedRequestsInOrder) {
  start();
  auto c = client();
  ASSERT_TRUE(c.send("GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n"
                     "GET /v1/none HTTP/1.1\r\nHost: x\r\n\r\n"
                     "GET /v1/networks HTTP/1.1\r\nHost: x\r\n\r\n"));
  EXPECT_EQ(c.receive().status, 200);
  EXPECT_EQ(c.receive().status, 404);
  EXPECT_EQ(c.receive().body, R"({"networks":[]})");
}

TEST_F(Server, AnswersEvenWhenTheBackendRepliesAtOnce) {
  backend_->answer_on_thread = false;
  start();
  auto c = client();
  for (auto i = 0; i < 100; ++i)
    ASSERT_EQ(c.ask("GET", "/v1/networks").status, 200);
}

TEST_F(Server, GivesTheBackendTheClientsDeadline) {
  auto options = server_options{};
  options.request_timeout = std::chrono::milliseconds{5'000};
  start(options);
  auto c = client();
  auto ask = [&c](const char* header) {
    (void)c.send(std::string{"GET /v1/status HTTP/1.1\r\nHost: x\r\n"} + header
                 + "\r\n");
    return c.receive().status;
  };
  EXPECT_EQ(ask("Troupe-Deadline-Ms: 1234\r\n"), 200);
  EXPECT_EQ(backend_->last_deadline_ms, 1'234);
  EXPECT_EQ(ask("Troupe-Deadline-Ms: 999999\r\n"), 200);
  EXPECT_EQ(backend_->last_deadline_ms, 5'000);
  EXPECT_EQ(ask("Troupe-Deadline-Ms: soon\r\n"), 200);
  EXPECT_EQ(backend_->last_deadline_ms, 5'000);
}

TEST_F(Server, ReportsAReplyOfTheWrongKind) {
  backend_->override_reply = [](const request&) {
    return result<reply>{reply{done{}}};
  };
  start();
  EXPECT_EQ(client().ask("GET", "/v1/status").status, 500);
}

TEST_F(Server, TellsTheAuditWhoChangedWhat) {
  auto mutex = std::mutex{};
  auto records = std::vector<tools::audit_record>{};
  auto options = server_options{};
  options.audit = [&](const tools::audit_record& x) {
    auto guard = std::lock_guard{mutex};
    records.push_back(x);
  };
  start(options);
  auto c = client();
  (void)c.ask("POST", "/v1/networks", web);
  (void)c.ask("GET", "/v1/networks");
  (void)c.ask("DELETE", "/v1/networks/none");
  (void)c.ask("POST", "/v1/networks/web/attach", R"({"sandbox":"box"})");
  auto guard = std::lock_guard{mutex};
  ASSERT_EQ(records.size(), 3U);
  EXPECT_EQ(records[0].method, "POST");
  EXPECT_EQ(records[0].object, "web");
  EXPECT_EQ(records[0].status, 201);
  EXPECT_EQ(records[0].who.uid, ::getuid());
  EXPECT_EQ(records[0].who.pid, ::getpid());
  EXPECT_EQ(records[1].path, "/v1/networks/none");
  EXPECT_EQ(records[1].object, "");
  EXPECT_EQ(records[1].status, 404);
  EXPECT_EQ(records[2].object, "box");
}

TEST_F(Server, ServesMetrics) {
  start();
  auto c = client();
  (void)c.ask("POST", "/v1/networks", web);
  (void)c.ask("GET", "/v1/nothing");
  auto got = c.ask("GET", "/metrics");
  EXPECT_EQ(got.status, 200);
  for (const auto* line :
       {"troupe_requests_total{operation=\"create_network\",status=\"201\"} "
        "1\n",
        "troupe_requests_total{operation=\"unknown\",status=\"404\"} 1\n",
        "troupe_request_seconds_count{operation=\"create_network\"} 1\n",
        "troupe_networks 1\n", "troupe_generation 1\n",
        "troupe_info{version=\"0.1.0\"} 1\n", "troupe_connections 1\n",
        "process_open_fds "})
    EXPECT_NE(got.body.find(line), std::string::npos) << line << got.body;
}

TEST_F(Server, ServesMetricsWhileTheBackendIsBusy) {
  backend_->override_reply = [](const request&) {
    return result<reply>{fail(ec::unavailable, "busy")};
  };
  start();
  auto got = client().ask("GET", "/metrics");
  EXPECT_EQ(got.status, 200);
  EXPECT_NE(got.body.find("process_resident_memory_bytes "), std::string::npos);
}

TEST_F(Server, StopsWithRequestsInWork) {
  backend_->hold = true;
  start();
  auto c = client();
  ASSERT_TRUE(c.send("GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n"));
  ASSERT_TRUE(eventually([this] {
    return backend_->held() == 1;
  }));
  stop();
  EXPECT_EQ(c.receive().status, 503);
  // The late answer finds nobody, and harms nobody.
  backend_->release();
}

TEST_F(Server, WaitsForRequestsInWorkWhenItStops) {
  backend_->hold = true;
  start();
  auto c = client();
  ASSERT_TRUE(c.send("GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n"));
  ASSERT_TRUE(eventually([this] {
    return backend_->held() == 1;
  }));
  auto stopping = std::thread{[this] {
    server_->stop(std::chrono::seconds{10});
  }};
  backend_->release();
  stopping.join();
  EXPECT_EQ(c.receive().status, 200);
}

} // namespace

} // namespace troupe::test
