// The client of the local API beside servers that are not ours: slow, rude,
// wrong, or away at the wrong moment.

#include "troupe/actors/api/http_worker.hpp"
#include "troupe/tests/unit/tools/scripted_server.hpp"
#include "troupe/tests/unit/tools/server_fixture.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <future>

namespace troupe::test {

namespace {

using namespace std::chrono_literals;

http_request get(std::chrono::milliseconds deadline = 60s) {
  return {"GET", "/v1/status", {}, deadline, "status", {}};
}

http_request post(std::string body) {
  return {"POST", "/v1/networks", std::move(body), 60s, "create", {}};
}

constexpr auto hello = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

class HttpClient : public ::testing::Test {
protected:
  temporary_directory directory_;
  std::string socket_ = directory_ / "api.sock";
};

// -- the reader ---------------------------------------------------------------

TEST(HttpReader, TakesAnyPortions) {
  const auto* chunked = "HTTP/1.1 100 Continue\r\n\r\n"
                        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                        "3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\nTrailer: 1\r\n\r\n";
  for (const auto& text : {std::string{hello}, std::string{chunked}})
    for (auto portion = size_t{1}; portion <= text.size(); ++portion) {
      auto reader = http_reader{};
      for (auto i = size_t{0}; i < text.size(); i += portion)
        ASSERT_TRUE(reader.feed(std::string_view{text}.substr(i, portion)));
      ASSERT_TRUE(reader.is_complete()) << portion;
      EXPECT_TRUE(reader.keeps_connection());
      auto response = reader.take();
      EXPECT_EQ(response.status, 200);
      EXPECT_EQ(response.body, "hello");
    }
}

TEST(HttpReader, GivesABodyAwayAsItComes) {
  auto seen = std::string{};
  auto reader = http_reader{[&seen](std::string_view bytes) -> result<void> {
    seen += bytes;
    if (seen.ends_with("!"))
      return fail(ec::invalid_argument, "enough");
    return {};
  }};
  ASSERT_TRUE(
    reader.feed("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"));
  ASSERT_TRUE(reader.feed("3\r\none\r\n"));
  EXPECT_EQ(seen, "one");
  auto fed = reader.feed("1\r\n!\r\n");
  ASSERT_FALSE(fed);
  EXPECT_EQ(fed.error().message, "enough");
}

TEST(HttpReader, KeepsTheBodyOfARefusal) {
  auto reader = http_reader{[](std::string_view) -> result<void> {
    return fail(ec::internal, "not for the sink");
  }};
  ASSERT_TRUE(reader.feed("HTTP/1.1 503 No\r\nContent-Length: 3\r\n\r\nwhy"));
  EXPECT_EQ(reader.take().body, "why");
}

TEST(HttpReader, RefusesWhatIsNoHttp) {
  for (const auto* text :
       {"hello\r\n\r\n", "HTTP/1.1 abc\r\n\r\n", "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"}) {
    auto reader = http_reader{};
    auto fed = reader.feed(text);
    ASSERT_FALSE(fed) << text;
    EXPECT_EQ(fed.error().code, ec::internal);
    EXPECT_NE(fed.error().message.find("not HTTP"), std::string::npos);
  }
}

TEST(HttpReader, RefusesMoreThanItKeeps) {
  auto length = std::to_string(http_reader::max_body_bytes + 1);
  auto reader = http_reader{};
  auto fed
    = reader.feed("HTTP/1.1 200 OK\r\nContent-Length: " + length + "\r\n\r\n");
  ASSERT_FALSE(fed);
  EXPECT_NE(fed.error().message.find("268435456 bytes"), std::string::npos);
  auto endless = http_reader{};
  ASSERT_TRUE(endless.feed("HTTP/1.1 200 OK\r\n\r\n"));
  auto portion = std::string(size_t{1} << 24U, 'x');
  for (auto i = 0; i < 16; ++i)
    ASSERT_TRUE(endless.feed(portion)) << i;
  EXPECT_FALSE(endless.feed("x"));
}

// -- over a socket ------------------------------------------------------------

TEST_F(HttpClient, SendsWhatTheServerNeeds) {
  auto server = scripted_server{socket_, {{hello}, {hello}}};
  auto client = http_client{socket_};
  auto got = client.perform(get(1'234ms));
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(got->body, "hello");
  ASSERT_TRUE(client.perform(post("{\"a\":1}")));
  EXPECT_EQ(server.requests(),
            (std::vector<std::string>{
              "GET /v1/status HTTP/1.1\r\nHost: trouped\r\n"
              "Troupe-Deadline-Ms: 1234\r\n\r\n",
              "POST /v1/networks HTTP/1.1\r\nHost: trouped\r\n"
              "Troupe-Deadline-Ms: 60000\r\n"
              "Content-Type: application/json\r\nContent-Length: 7\r\n\r\n"
              "{\"a\":1}"}));
  EXPECT_EQ(server.connections(), 1U);
}

TEST_F(HttpClient, ReadsAnAnswerThatEndsWithTheConnection) {
  auto server = scripted_server{
    socket_, {{"HTTP/1.1 200 OK\r\n\r\nhello", hang_up}, {hello}}};
  auto client = http_client{socket_};
  EXPECT_EQ(client.perform(get())->body, "hello");
  EXPECT_EQ(client.perform(get())->body, "hello");
  EXPECT_EQ(server.connections(), 2U);
}

TEST_F(HttpClient, ConnectsAgainWhenAKeptConnectionWasClosed) {
  auto server = scripted_server{
    socket_, {{hello, hang_up}, {hello, "farewell", hang_up}, {hello}}};
  auto client = http_client{socket_};
  for (auto i = 0; i < 3; ++i) {
    auto got = client.perform(post("{}"));
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_EQ(got->body, "hello");
    ASSERT_TRUE(server.wait_for(static_cast<size_t>(i) + 1));
  }
  EXPECT_EQ(server.connections(), 3U);
  EXPECT_EQ(server.requests().size(), 3U);
}

// Neither what changes something nor what only asks.
TEST_F(HttpClient, NeverSendsARequestTwice) {
  auto server
    = scripted_server{socket_, {{hello}, {hang_up}, {hello}, {hang_up}}};
  auto client = http_client{socket_};
  for (const auto& what : {get(), post("{}")}) {
    ASSERT_TRUE(client.perform(get())); // Its connection is kept.
    auto got = client.perform(what);
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, ec::unavailable);
    EXPECT_NE(got.error().message.find("hung up before it answered"),
              std::string::npos);
    EXPECT_NE(got.error().hint.find("the outcome is unknown"),
              std::string::npos);
    EXPECT_EQ(got.error().os_error, 0);
  }
  EXPECT_EQ(server.requests().size(), 4U);
  EXPECT_EQ(server.connections(), 2U);
}

TEST_F(HttpClient, SaysThatAnAnswerBreaksOff) {
  for (const auto* text :
       {"HTTP/1.1 200", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n"}) {
    auto server = scripted_server{socket_, {{text, hang_up}}};
    auto got = http_client{socket_}.perform(get());
    ASSERT_FALSE(got) << text;
    EXPECT_EQ(got.error().code, ec::unavailable);
  }
}

TEST_F(HttpClient, NamesTheRequestWhoseAnswerIsNoHttp) {
  auto server = scripted_server{socket_, {{"220 mail.example ESMTP\r\n\r\n"}}};
  auto got = http_client{socket_}.perform(get());
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, ec::internal);
  EXPECT_TRUE(
    got.error().message.starts_with("request status: the answer is not HTTP: "))
    << got.error().message;
}

// A server may refuse a body that is too large before it has read it.
TEST_F(HttpClient, ReadsAnAnswerThatComesBeforeTheRequestIsSent) {
  auto refusal = "HTTP/1.1 413 Too large\r\nContent-Length: 3\r\n\r\nno!";
  auto server = scripted_server{socket_, {{refusal, hang_up_early}, {hello}}};
  auto client = http_client{socket_};
  auto got = client.perform(post(std::string(8'000'000, ' ')));
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(got->status, 413);
  EXPECT_EQ(got->body, "no!");
  EXPECT_TRUE(client.perform(get()));
  EXPECT_EQ(server.connections(), 2U);
}

TEST_F(HttpClient, SendsAndReadsLargeBodies) {
  auto text = std::string(8'000'000, 'x');
  auto server = scripted_server{
    socket_, {{"HTTP/1.1 200 OK\r\nContent-Length: 8000000\r\n\r\n", text}}};
  auto got = http_client{socket_}.perform(post(text));
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(got->body, text);
  EXPECT_TRUE(server.requests().front().ends_with(text));
}

TEST_F(HttpClient, GivesUpAtTheDeadlineWhereverItIs) {
  auto server = scripted_server{
    socket_, {{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"}, {hello}}};
  auto client = http_client{socket_};
  auto got = client.perform(get(100ms));
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, ec::timeout);
  EXPECT_EQ(got.error().message, "request status: no answer within 100 ms");
  // What still comes is not taken for the answer of the next one.
  EXPECT_TRUE(client.perform(get()));
  EXPECT_EQ(server.connections(), 2U);
}

TEST_F(HttpClient, WaitsForAServerWithAFullBacklog) {
  auto server = deaf_server{socket_};
  auto client = http_client{socket_};
  auto got = client.perform(get(100ms));
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, ec::timeout) << got.error().message;
  auto later = std::async(std::launch::async, [&client] {
    return client.perform(get());
  });
  server.make_room();
  auto last = later.get();
  ASSERT_FALSE(last);
  EXPECT_NE(last.error().message.find("hung up"), std::string::npos);
}

TEST_F(HttpClient, SaysThatAPathIsTooLong) {
  auto got = http_client{"/" + std::string(200, 'x')}.perform(get());
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, ec::unavailable);
  EXPECT_EQ(got.error().os_error, ENAMETOOLONG);
}

// -- many at once -------------------------------------------------------------

TEST_F(HttpClient, EndsEvenWhatWaitsForAConnection) {
  auto server = deaf_server{socket_};
  auto pool = http_client{socket_};
  auto timeouts = std::atomic<int>{0};
  auto worker = http_worker{pool};
  for (auto i = 0; i < 100; ++i)
    worker.submit(get(50ms), [&](const result<http_response>& x) {
      timeouts += !x && x.error().code == ec::timeout;
    });
  EXPECT_TRUE(eventually([&] {
    return timeouts == 100;
  }));
}

TEST_F(HttpClient, RefusesMoreThanItCanHold) {
  auto server = deaf_server{socket_};
  auto pool = http_client{socket_};
  auto ended = std::atomic<int>{0};
  {
    auto worker = http_worker{pool};
    for (auto i = 0; i < 1'024; ++i)
      worker.submit(get(), [&](const result<http_response>&) {
        ++ended;
      });
    auto refused = false;
    worker.submit(get(), [&](const result<http_response>& x) {
      refused = !x && x.error().code == ec::unavailable;
    });
    EXPECT_TRUE(refused);
    EXPECT_EQ(ended, 0);
  }
  EXPECT_EQ(ended, 1'024);
}

} // namespace

} // namespace troupe::test
