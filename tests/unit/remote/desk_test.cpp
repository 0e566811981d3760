#include "troupe/config/model/json.hpp"
#include "troupe/tools/troupe-remote/desk.hpp"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>

namespace troupe::tools::remote {

namespace {

using namespace std::chrono_literals;

// A daemon that answers when the test says so.
class held_backend : public backend {
public:
  void submit(request what, std::chrono::milliseconds deadline,
              reply_handler handler) override {
    requests.push_back({std::move(what), deadline, std::move(handler)});
  }
  result<uint64_t> subscribe(event_handler x) override {
    if (is_away)
      return fail(ec::unavailable, "cannot reach the daemon");
    handler = std::move(x);
    return 1;
  }
  void unsubscribe(uint64_t) override {
  }

  struct held {
    request what;
    std::chrono::milliseconds deadline;
    reply_handler handler;
  };
  std::vector<held> requests;
  event_handler handler;
  std::atomic<bool> is_away = false;
};

class Desk : public ::testing::Test {
protected:
  void open(peer_limits limits = {}) {
    x.emplace(daemon, limits,
              desk_surroundings{[this](asker who, answer y) {
                                  answers.emplace_back(who.connection,
                                                       std::move(y));
                                },
                                [this](std::function<void()> what) {
                                  auto guard = std::lock_guard{mutex};
                                  posted.push_back(std::move(what));
                                  arrived.notify_all();
                                },
                                [this](const std::string& line) {
                                  log.push_back(line);
                                }});
    auto q = question{};
    q.kind = "hello";
    q.client = client;
    ask(q);
    answers.clear();
  }

  void ask(question q, const std::string& peer = "CN=ci", uint64_t from = 1) {
    x->ask(peer, {from, q.number}, std::move(q), now);
  }

  question create(uint64_t sequence, const std::string& name = "a") {
    auto q = question{};
    q.kind = "call";
    q.number = ++last_number;
    q.client = client;
    q.sequence = sequence;
    q.deadline_ms = 10'000;
    q.method = "POST";
    q.target = "/v1/networks";
    q.body = R"({"spec":{"name":")" + name + "\"}}";
    return q;
  }

  question list(uint64_t sequence) {
    auto q = create(sequence);
    q.method = "GET";
    q.body = "";
    return q;
  }

  // Also from the thread that subscribes, for which it waits.
  void run_posted() {
    auto fresh = std::vector<std::function<void()>>{};
    {
      auto guard = std::unique_lock{mutex};
      arrived.wait_for(guard, 10s, [this] {
        return !posted.empty();
      });
      fresh.swap(posted);
    }
    for (auto& what : fresh)
      what();
  }

  question next_events(uint64_t feed = 0, uint64_t next = 0) {
    auto q = question{};
    q.kind = "events";
    q.number = ++last_number;
    q.feed = feed;
    q.next = next;
    q.wait_ms = 1'000;
    return q;
  }

  void finish(size_t i) {
    daemon->requests.at(i).handler(reply{network_status{}});
    run_posted();
  }

  error error_of(const answer& y) {
    return api::decode_error(y.status, y.body);
  }

  std::shared_ptr<held_backend> daemon = std::make_shared<held_backend>();
  std::vector<std::pair<uint64_t, answer>> answers;
  std::mutex mutex;
  std::condition_variable arrived;
  std::vector<std::function<void()>> posted; ///< Under the mutex.
  std::vector<std::string> log;
  std::string client = std::string(32, 'a');
  uint64_t last_number = 0;
  steady_time now = steady_time{} + 1h;
  std::optional<desk> x; // Last: it uses the others.
};

} // namespace

TEST_F(Desk, PassesARequestToTheDaemonAndItsAnswerBack) {
  open();
  ask(create(1));
  ASSERT_EQ(daemon->requests.size(), 1U);
  EXPECT_TRUE(std::holds_alternative<create_network>(daemon->requests[0].what));
  EXPECT_EQ(daemon->requests[0].deadline, 10s);
  finish(0);
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0].second.status, 201);
  EXPECT_EQ(answers[0].second.number, 1U);
  ASSERT_EQ(log.size(), 1U);
  EXPECT_EQ(log[0].find("audit: peer=\"CN=ci\" POST /v1/networks -> 201 in "),
            0U);
}

TEST_F(Desk, ARequestThatIsSentAgainHasOneEffect) {
  open();
  ask(create(1));
  ask(create(1), "CN=ci", 2);
  finish(0);
  ask(create(1), "CN=ci", 3);
  EXPECT_EQ(daemon->requests.size(), 1U);
  ASSERT_EQ(answers.size(), 3U);
  for (auto i = 0U; i < 3; ++i) {
    EXPECT_EQ(answers[i].first, i + 1);
    EXPECT_EQ(answers[i].second.body, answers[0].second.body);
  }
}

TEST_F(Desk, AnotherPeerDoesNotShareTheMemory) {
  open();
  ask(create(1));
  ask(create(1), "CN=other", 2);
  EXPECT_EQ(daemon->requests.size(), 1U);
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(error_of(answers[0].second).code, ec::unavailable);
}

TEST_F(Desk, QuestionsThatCannotBeAreRefused) {
  open();
  auto expect = [&](const question& q, ec code) {
    answers.clear();
    ask(q);
    ASSERT_EQ(answers.size(), 1U);
    EXPECT_EQ(error_of(answers[0].second).code, code);
  };
  auto q = create(1);
  q.kind = "nosuch";
  expect(q, ec::invalid_argument);
  for (auto deadline : {int64_t{0}, int64_t{-1}, int64_t{600'001}, INT64_MAX}) {
    q = create(1);
    q.deadline_ms = deadline;
    expect(q, ec::invalid_argument);
  }
  q = create(0);
  expect(q, ec::invalid_argument);
  q = create(1);
  q.answered.resize(5'000);
  expect(q, ec::invalid_argument);
  q = create(1);
  q.target = "/nosuch";
  expect(q, ec::not_found);
  for (const auto* target : {"/metrics", "/v1/events", "/v1/openapi.json",
                             "/v1/faults", "/v1/faults/log"}) {
    q = list(1);
    q.target = target;
    expect(q, ec::invalid_argument);
  }
  q = create(1);
  q.body = R"({"spec":{"nmae":"a"}})";
  expect(q, ec::invalid_argument);
  EXPECT_TRUE(daemon->requests.empty());
}

TEST_F(Desk, OpenRequestsOfOnePeerAreBoundedOthersGoOn) {
  open({.open_requests = 2});
  for (uint64_t i = 1; i <= 3; ++i)
    ask(create(i, "n" + std::to_string(i)));
  EXPECT_EQ(daemon->requests.size(), 2U);
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(error_of(answers[0].second).code, ec::unavailable);
  ask(list(1), "CN=other");
  EXPECT_EQ(daemon->requests.size(), 3U);
  // What was refused was not begun: the same number may come again.
  finish(0);
  ask(create(3, "n3"));
  EXPECT_EQ(daemon->requests.size(), 4U);
}

TEST_F(Desk, TooFastAPeerWaitsForItsTurn) {
  open({.requests_per_second = 10, .request_burst = 1});
  ask(list(1));
  ask(list(2));
  ask(list(3));
  EXPECT_EQ(daemon->requests.size(), 1U);
  now += 101ms;
  x->tick(now);
  EXPECT_EQ(daemon->requests.size(), 2U);
  now += 101ms;
  x->tick(now);
  EXPECT_EQ(daemon->requests.size(), 3U);
  EXPECT_LT(daemon->requests[2].deadline, 10s);
  EXPECT_TRUE(answers.empty());
}

TEST_F(Desk, ATurnThatDoesNotComeIsATimeout) {
  open({.requests_per_second = 0.01, .request_burst = 1});
  ask(create(1));
  ask(create(2, "b"));
  now += 10s;
  x->tick(now);
  ASSERT_EQ(answers.size(), 1U);
  auto why = error_of(answers[0].second);
  EXPECT_EQ(why.code, ec::timeout);
  EXPECT_NE(why.hint.find("not carried out"), std::string::npos);
  EXPECT_EQ(daemon->requests.size(), 1U);
}

TEST_F(Desk, ConnectionsOfOnePeerAreBoundedInNumberAndRate) {
  open({.connections = 2, .connections_per_second = 1, .connection_burst = 3});
  EXPECT_TRUE(x->enter("CN=ci", now));
  EXPECT_TRUE(x->enter("CN=ci", now));
  EXPECT_FALSE(x->enter("CN=ci", now));
  EXPECT_TRUE(x->enter("CN=other", now));
  x->leave("CN=ci", 1);
  EXPECT_TRUE(x->enter("CN=ci", now));
  x->leave("CN=ci", 2);
  EXPECT_FALSE(x->enter("CN=ci", now));
  EXPECT_TRUE(x->enter("CN=ci", now + 1s));
}

TEST_F(Desk, AnAnswerForSomebodyWhoLeftIsKeptForHisReturn) {
  open();
  ask(create(1));
  x->leave("CN=ci", 1);
  finish(0);
  answers.clear();
  ask(create(1), "CN=ci", 2);
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0].second.status, 201);
  EXPECT_EQ(daemon->requests.size(), 1U);
}

TEST_F(Desk, ReadersOfEventsListenOnceTheDaemonIsHeard) {
  open();
  ask(next_events());
  EXPECT_TRUE(answers.empty());
  run_posted();
  ASSERT_EQ(answers.size(), 1U);
  auto start = *from_json<events_page>(*parse_json(answers[0].second.body),
                                       unknown_fields::refuse, "page");
  ask(next_events(start.feed, start.next));
  EXPECT_EQ(answers.size(), 1U);
  auto x = event{};
  x.name = "made";
  daemon->handler(x);
  run_posted();
  ASSERT_EQ(answers.size(), 2U);
  EXPECT_NE(answers[1].second.body.find("made"), std::string::npos);
}

TEST_F(Desk, ReadersOfEventsAreToldThatTheDaemonIsAway) {
  open();
  daemon->is_away = true;
  ask(next_events());
  run_posted();
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(error_of(answers[0].second).code, ec::unavailable);
  daemon->is_away = false;
  ask(next_events());
  run_posted();
  ASSERT_EQ(answers.size(), 2U);
  EXPECT_EQ(answers[1].second.status, 200);
}

TEST_F(Desk, ErrorsOfTheDaemonComeThroughUnchanged) {
  open();
  ask(create(1));
  daemon->requests[0].handler(fail(ec::conflict, "create: taken", "look"));
  run_posted();
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0].second.status, 409);
  auto why = error_of(answers[0].second);
  EXPECT_EQ(why.message, "create: taken");
  EXPECT_EQ(why.hint, "look");
}

} // namespace troupe::tools::remote
