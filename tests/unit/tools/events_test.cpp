#include "troupe/actors/api/event_reader.hpp"
#include "troupe/tests/unit/tools/server_fixture.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <numeric>

namespace troupe::test {

namespace {

using tools::event_hub;
using tools::server_options;

event numbered(uint64_t sequence) {
  auto x = event{};
  x.sequence = sequence;
  x.type = "network";
  return x;
}

// Everything a stream has, without ever going to sleep.
std::string read_all(tools::event_stream& x) {
  auto result = std::string{};
  char buffer[7];
  for (;;) {
    auto bytes = x.read(buffer, sizeof(buffer), [] {});
    if (!bytes || *bytes == 0)
      return result;
    result.append(buffer, *bytes);
  }
}

size_t count(const std::string& text, const std::string& part) {
  auto result = size_t{0};
  for (auto i = text.find(part); i != text.npos; i = text.find(part, i + 1))
    ++result;
  return result;
}

// -- hub and stream ----------------------------------------------------------

TEST(EventHub, GivesEachStreamEveryEventInOrder) {
  auto hub = event_hub{2, 10};
  auto a = hub.open({}, [] {});
  auto b = hub.open({}, [] {});
  hub.publish(numbered(1));
  hub.publish(numbered(2));
  auto text = read_all(*a);
  EXPECT_LT(text.find("id: 1\n"), text.find("id: 2\n"));
  EXPECT_EQ(text, read_all(*b));
}

TEST(EventHub, RefusesMoreStreamsThanItsLimit) {
  auto hub = event_hub{1, 10};
  auto a = hub.open({}, [] {});
  EXPECT_EQ(hub.open({}, [] {}), nullptr);
  hub.remove(a);
  EXPECT_NE(hub.open({}, [] {}), nullptr);
}

TEST(EventHub, EndsAStreamThatIsTooSlow) {
  auto hub = event_hub{1, 3};
  auto a = hub.open({}, [] {});
  for (auto i = 1U; i <= 5; ++i)
    hub.publish(numbered(i));
  char buffer[100];
  EXPECT_FALSE(a->read(buffer, sizeof(buffer), [] {}));
}

TEST(EventHub, ReplaysWhatAClientMissed) {
  auto hub = event_hub{2, 3};
  for (auto i = 1U; i <= 5; ++i)
    hub.publish(numbered(i));
  auto text = read_all(*hub.open(4, [] {}));
  EXPECT_EQ(count(text, "id: "), 1U);
  EXPECT_NE(text.find("id: 5\n"), text.npos);
}

TEST(EventHub, ReplaysAllItHasAfterARestart) {
  auto hub = event_hub{2, 3};
  hub.publish(numbered(1));
  EXPECT_EQ(count(read_all(*hub.open(700, [] {})), "id: "), 1U);
}

TEST(EventHub, WakesASleepingReaderOnce) {
  auto hub = event_hub{1, 10};
  auto woken = 0;
  auto a = hub.open({}, [&woken] {
    ++woken;
  });
  (void)read_all(*a);
  hub.publish(numbered(1));
  hub.publish(numbered(2));
  EXPECT_EQ(woken, 1);
}

TEST(EventParser, TakesAnyPortions) {
  auto hub = event_hub{1, 10};
  auto stream = hub.open({}, [] {});
  hub.publish(numbered(1));
  hub.ping();
  hub.publish(numbered(2));
  auto text = read_all(*stream);
  for (size_t portion = 1; portion < text.size(); ++portion) {
    auto parser = event_parser{};
    auto seen = std::vector<uint64_t>{};
    for (size_t i = 0; i < text.size(); i += portion)
      ASSERT_TRUE(parser.feed(std::string_view{text}.substr(i, portion),
                              [&seen](const event& x) {
                                seen.push_back(x.sequence);
                              }));
    EXPECT_EQ(seen, (std::vector<uint64_t>{1, 2})) << portion;
  }
}

TEST(EventParser, RefusesEventsThatAreNone) {
  auto ignore = [](const event&) {};
  EXPECT_FALSE(event_parser{}.feed("data: {\n\n", ignore));
  EXPECT_FALSE(
    event_parser{}.feed("data: " + std::string(2'000'000, 'x'), ignore));
}

// -- over the socket ---------------------------------------------------------

class EventStreams : public server_fixture {
protected:
  // Reads until the stream is open.
  raw_client reader(const std::string& header = {}) {
    auto result = client();
    (void)result.send("GET /v1/events HTTP/1.1\r\nHost: x\r\n" + header
                      + "\r\n");
    (void)result.receive_until(": subscribed");
    return result;
  }
};

TEST_F(EventStreams, ReachAClient) {
  start();
  auto c = reader();
  backend_->publish("network", "create", "web");
  auto text = c.receive_until("\n\n\r\n");
  EXPECT_NE(text.find("text/event-stream"), text.npos);
  text = c.receive_until("\"web\"");
  EXPECT_NE(text.find("id: 1\nevent: network\ndata: {"), text.npos) << text;
}

TEST_F(EventStreams, GoOnWhereTheClientWas) {
  start();
  backend_->publish("network", "create", "one");
  backend_->publish("network", "create", "two");
  auto c = reader("Last-Event-ID: 1\r\n");
  auto text = c.receive_until("\"two\"");
  EXPECT_NE(text.find("\"two\""), text.npos);
  EXPECT_EQ(text.find("\"one\""), text.npos);
}

TEST_F(EventStreams, AreLimited) {
  auto options = server_options{};
  options.max_streams = 1;
  start(options);
  auto c = reader();
  EXPECT_EQ(client().ask("GET", "/v1/events").status, 503);
}

TEST_F(EventStreams, AreGivenBackWhenClientsLeave) {
  auto options = server_options{};
  options.max_streams = 1;
  start(options);
  for (auto i = 0; i < 20; ++i) {
    { auto c = reader(); }
    // A write to the dead one is what tells the server.
    ASSERT_TRUE(eventually([this] {
      backend_->publish("network", "create", "web");
      auto got = client();
      return got.ask("GET", "/metrics").body.find("troupe_event_streams 0\n")
             != std::string::npos;
    }));
  }
}

TEST_F(EventStreams, OfSlowReadersEndWithoutHarmToOthers) {
  auto options = server_options{};
  options.max_events = 100;
  start(options);
  auto slow = reader();
  auto name = std::string(3'000, 'n');
  for (auto i = 0; i < 2'000; ++i)
    backend_->publish("network", "create", name);
  EXPECT_EQ(client().ask("GET", "/v1/status").status, 200);
  EXPECT_TRUE(slow.is_closed());
}

TEST_F(EventStreams, EndWhenTheServerStops) {
  start();
  auto c = reader();
  stop();
  EXPECT_TRUE(c.is_closed());
}

TEST_F(EventStreams, CarryManyEventsToManyReaders) {
  constexpr auto events = size_t{500};
  start();
  auto seen = std::vector<std::vector<uint64_t>>(20);
  auto complete = std::atomic<size_t>{0};
  auto readers = std::vector<std::unique_ptr<event_reader>>{};
  for (auto& mine : seen) {
    readers.push_back(
      std::make_unique<event_reader>(socket_, [&](const event& x) {
        if (x.type != "network")
          return; // the reader's own word that it is connected
        mine.push_back(x.sequence);
        if (mine.size() == events)
          ++complete;
      }));
    ASSERT_TRUE(readers.back()->wait_until_open());
  }
  for (auto i = size_t{0}; i < events; ++i)
    backend_->publish("network", "create", "web");
  EXPECT_TRUE(eventually([&] {
    return complete == seen.size();
  }));
  readers.clear(); // joins their threads
  auto all = std::vector<uint64_t>(events);
  std::iota(all.begin(), all.end(), 1);
  for (auto& mine : seen)
    EXPECT_EQ(mine, all);
}

} // namespace

} // namespace troupe::test
