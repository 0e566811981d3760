#include "troupe/tools/troupe-remote/event_feed.hpp"

#include <gtest/gtest.h>

namespace troupe::tools::remote {

namespace {

using namespace std::chrono_literals;

class EventFeed : public ::testing::Test {
protected:
  // Takes the one answer that must be there.
  events_page only(const std::vector<event_feed::due>& xs) {
    EXPECT_EQ(xs.size(), 1U);
    return xs.empty() ? events_page{} : xs.front().page;
  }

  events_page start(asker who = {1, 1}) {
    return only(feed.ask(who, {}, now));
  }

  question following(const events_page& x, int64_t wait_ms = 1'000) {
    auto q = question{};
    q.feed = x.feed;
    q.next = x.next;
    q.wait_ms = wait_ms;
    return q;
  }

  void add(const std::string& name) {
    auto x = event{};
    x.name = name;
    feed.add(std::move(x));
  }

  event_feed feed;
  steady_time now = steady_time{} + 1h;
};

} // namespace

TEST_F(EventFeed, ANewReaderBeginsNowAndGetsWhatFollows) {
  add("before");
  auto at = start();
  EXPECT_TRUE(at.events.empty());
  add("after");
  auto page = only(feed.ask({1, 2}, following(at), now));
  ASSERT_EQ(page.events.size(), 1U);
  EXPECT_EQ(page.events[0].name, "after");
  EXPECT_EQ(page.lost, 0U);
}

TEST_F(EventFeed, AReaderWaitsForAnEventOrHisTime) {
  auto at = start();
  EXPECT_TRUE(feed.ask({1, 2}, following(at), now).empty());
  EXPECT_TRUE(feed.collect(now + 999ms).empty());
  add("x");
  auto due = feed.collect(now + 999ms);
  EXPECT_EQ(only(due).events.size(), 1U);
  EXPECT_EQ(due.front().who.number, 2U);
  auto next = only(due);
  EXPECT_TRUE(feed.ask({1, 3}, following(next), now).empty());
  auto late = only(feed.collect(now + 1s));
  EXPECT_TRUE(late.events.empty());
  EXPECT_EQ(late.next, next.next);
}

TEST_F(EventFeed, AQuestionReplacesTheOneBeforeIt) {
  auto at = start();
  EXPECT_TRUE(feed.ask({1, 2}, following(at), now).empty());
  EXPECT_TRUE(feed.ask({1, 3}, following(at), now).empty());
  add("x");
  auto due = feed.collect(now);
  ASSERT_EQ(due.size(), 1U);
  EXPECT_EQ(due[0].who.number, 3U);
  EXPECT_TRUE(feed.ask({2, 1}, following(due[0].page), now).empty());
  feed.drop(2);
  EXPECT_TRUE(feed.collect(now + 1h).empty());
}

TEST_F(EventFeed, ASlowReaderIsToldHowManyHeLost) {
  auto at = start();
  for (size_t i = 0; i < event_feed::max_events + 10; ++i)
    add(std::to_string(i));
  auto page = only(feed.ask({1, 2}, following(at), now));
  EXPECT_EQ(page.lost, 10U);
  EXPECT_EQ(page.events.size(), event_feed::max_page);
  EXPECT_EQ(page.events.front().name, "10");
  auto next = only(feed.ask({1, 3}, following(page), now));
  EXPECT_EQ(next.lost, 0U);
  EXPECT_EQ(next.events.front().name,
            std::to_string(10 + event_feed::max_page));
}

TEST_F(EventFeed, AReaderOfAnotherRunBeginsAnew) {
  auto at = start();
  add("x");
  auto stale = following(at);
  stale.feed = at.feed ^ 2U;
  EXPECT_TRUE(only(feed.ask({1, 2}, stale, now)).events.empty());
  auto future = following(at);
  future.next = 1'000'000;
  EXPECT_EQ(only(feed.ask({1, 3}, future, now)).next, at.next + 1);
}

TEST_F(EventFeed, NobodyWaitsLongerThanTheLongestWait) {
  auto at = start();
  EXPECT_TRUE(feed.ask({1, 2}, following(at, INT64_MAX), now).empty());
  EXPECT_EQ(feed.collect(now + 30s).size(), 1U);
  EXPECT_EQ(feed.ask({1, 3}, following(at, -1), now).size(), 1U);
}

} // namespace troupe::tools::remote
