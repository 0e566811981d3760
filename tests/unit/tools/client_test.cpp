#include "troupe/tests/fixtures/backend_contract.hpp"
#include "troupe/tests/unit/tools/server_fixture.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <ctime>
#include <future>
#include <thread>

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace troupe::test {

namespace {

using namespace std::chrono_literals;

class Client : public server_fixture {
protected:
  std::shared_ptr<backend> connect() {
    auto result = connect_backend(uri());
    EXPECT_TRUE(result);
    return *result;
  }

  static network_spec named(std::string name) {
    auto result = network_spec{};
    result.name = std::move(name);
    return result;
  }
};

TEST_F(Client, CallsAndGetsTheReply) {
  start();
  auto link = connect();
  auto made = link->call(create_network{named("web")}, 60s);
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(std::get<network_status>(*made).spec.name, "web");
  auto removed = link->call(remove_network{"web"}, 60s);
  ASSERT_TRUE(removed) << removed.error().message;
  EXPECT_TRUE(std::holds_alternative<done>(*removed));
}

TEST_F(Client, GetsTheDaemonsErrorsWhole) {
  start();
  auto got = connect()->call(inspect_network{"none"}, 60s);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, ec::not_found);
  EXPECT_EQ(got.error().message, "find network \"none\": no such network");
  EXPECT_EQ(got.error().hint, "list them with: troupe network ls");
  EXPECT_EQ(got.error().os_error, 0);
}

TEST_F(Client, SaysThatNoDaemonIsThere) {
  auto got = connect()->call(get_status{}, 60s);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, ec::unavailable);
  EXPECT_NE(got.error().message.find("cannot reach the daemon at " + uri()),
            std::string::npos);
  EXPECT_NE(got.error().hint.find("is trouped running?"), std::string::npos);
  EXPECT_NE(got.error().os_error, 0);
}

TEST_F(Client, SaysThatNobodyListens) {
  {
    auto dead = tools::listener::open(socket_, "");
    ASSERT_TRUE(dead);
    // Moved away, so that the listener's end leaves the socket's file.
    ASSERT_EQ(0, ::rename(socket_.c_str(), (directory_ / "dead").c_str()));
  }
  auto link = connect_backend("unix://" + (directory_ / "dead"));
  auto got = (*link)->call(get_status{}, 60s);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, ec::unavailable);
  EXPECT_EQ(got.error().os_error, ECONNREFUSED);
}

TEST_F(Client, SaysThatTheSocketIsNotForThisUser) {
  if (::geteuid() != 0)
    GTEST_SKIP() << "needs root to become somebody else";
  start();
  auto outcome = std::promise<result<reply>>{};
  // Only this thread becomes nobody.
  auto thread = std::thread{[&] {
    (void)::syscall(SYS_setresuid, 65534, 65534, 65534);
    outcome.set_value(connect()->call(get_status{}, 60s));
  }};
  thread.join();
  auto got = outcome.get_future().get();
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, ec::forbidden) << got.error().message;
  EXPECT_NE(got.error().hint.find("group"), std::string::npos);
}

TEST_F(Client, GivesUpAtItsDeadline) {
  backend_->hold = true;
  start();
  auto got = connect()->call(get_status{}, 200ms);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, ec::timeout);
  EXPECT_EQ(backend_->last_deadline_ms, 200);
}

TEST_F(Client, DoesNotSendARequestTwiceWhenTheDaemonDies) {
  start();
  auto link = connect();
  ASSERT_TRUE(link->call(get_status{}, 60s));
  backend_->hold = true;
  auto reply = std::async(std::launch::async, [&link] {
    return link->call(create_network{named("web")}, 60s);
  });
  ASSERT_TRUE(eventually([this] {
    return backend_->held() == 1;
  }));
  server_->stop(0ms);
  EXPECT_FALSE(reply.get());
  EXPECT_EQ(backend_->held(), 1U);
  backend_->release();
}

TEST_F(Client, FindsANewDaemonAfterARestart) {
  start();
  auto link = connect();
  ASSERT_TRUE(link->call(get_status{}, 60s));
  stop();
  ASSERT_FALSE(link->call(get_status{}, 60s));
  start();
  EXPECT_TRUE(link->call(get_status{}, 60s));
}

TEST_F(Client, HandlersHarmNobody) {
  start();
  auto link = connect();
  handler_contract{*link,
                   [this] {
                     backend_->publish("network", "create", "web");
                   }}
    .check();
}

TEST_F(Client, EndsInsideAndBesideItsHandlers) {
  start();
  handler_contract::check_end_in_a_handler(connect());
  handler_contract::check_end_beside_a_handler(connect());
}

TEST_F(Client, RefusesOtherAddresses) {
  for (const auto* text : {"", "/run/x.sock", "tcp://1.2.3.4:5", "unix://",
                           "unix://relative", "http://x"}) {
    auto got = connect_backend(text);
    ASSERT_FALSE(got) << text;
    EXPECT_EQ(got.error().code, ec::invalid_argument) << text;
  }
}

TEST_F(Client, SubmitsManyRequestsAtOnce) {
  start();
  auto link = connect();
  auto good = std::atomic<int>{0};
  auto answered = std::atomic<int>{0};
  for (auto i = 0; i < 300; ++i) {
    auto spec = sandbox_spec{};
    spec.name = "box" + std::to_string(i);
    link->submit(create_sandbox{spec}, 60s, [&](const result<reply>& x) {
      good += x.has_value();
      ++answered;
    });
  }
  EXPECT_TRUE(eventually([&answered] {
    return answered == 300;
  }));
  EXPECT_EQ(good, 300);
}

TEST_F(Client, SubmitsAreAnsweredWhenTheClientEnds) {
  backend_->hold = true;
  start();
  auto outcome = std::promise<result<reply>>{};
  auto link = connect();
  link->submit(get_status{}, 60s, [&outcome](result<reply> x) {
    outcome.set_value(std::move(x));
  });
  ASSERT_TRUE(eventually([this] {
    return backend_->held() == 1;
  }));
  link.reset();
  EXPECT_EQ(outcome.get_future().get().error().code, ec::unavailable);
  backend_->release();
}

TEST_F(Client, CallsFromManyThreads) {
  start();
  auto link = connect();
  auto good = std::atomic<int>{0};
  auto threads = std::vector<std::thread>{};
  for (auto i = 0; i < 16; ++i)
    threads.emplace_back([&] {
      for (auto n = 0; n < 20; ++n)
        good += link->call(list_networks{}, 60s).has_value();
    });
  for (auto& x : threads)
    x.join();
  EXPECT_EQ(good, 320);
}

TEST_F(Client, SubscribesAndUnsubscribes) {
  start();
  auto link = connect();
  auto seen = std::atomic<int>{0};
  auto number = link->subscribe([&seen](const event&) {
    ++seen;
  });
  ASSERT_TRUE(number) << number.error().message;
  backend_->publish("network", "create", "web");
  EXPECT_TRUE(eventually([&seen] {
    return seen == 1;
  }));
  link->unsubscribe(*number);
  backend_->publish("network", "create", "web");
  EXPECT_EQ(seen, 1);
}

TEST_F(Client, CannotSubscribeWithoutADaemon) {
  auto number = connect()->subscribe([](const event&) {});
  ASSERT_FALSE(number);
  EXPECT_EQ(number.error().code, ec::unavailable);
}

TEST_F(Client, UnsubscribesInsideItsHandler) {
  start();
  auto link = connect();
  auto seen = std::atomic<int>{0};
  auto number = std::atomic<uint64_t>{0};
  auto made = link->subscribe([&](const event&) {
    ++seen;
    link->unsubscribe(number);
  });
  number = *made;
  backend_->publish("network", "create", "web");
  EXPECT_TRUE(eventually([&seen] {
    return seen == 1;
  }));
  // A subscriber that comes later gets its events later.
  auto others = std::atomic<int>{0};
  ASSERT_TRUE(link->subscribe([&others](const event&) {
    ++others;
  }));
  backend_->publish("network", "create", "web");
  EXPECT_TRUE(eventually([&others] {
    return others == 1;
  }));
  EXPECT_EQ(seen, 1);
}

TEST_F(Client, TellsSubscribersOfARestart) {
  start();
  auto link = connect();
  auto mutex = std::mutex{};
  auto seen = std::vector<std::string>{};
  auto number = link->subscribe([&](const event& x) {
    auto guard = std::lock_guard{mutex};
    seen.push_back(x.type + " " + x.action);
  });
  ASSERT_TRUE(number);
  auto has = [&](const std::string& text) {
    return eventually([&] {
      auto guard = std::lock_guard{mutex};
      return std::find(seen.begin(), seen.end(), text) != seen.end();
    });
  };
  stop();
  EXPECT_TRUE(has("daemon disconnect"));
  start();
  EXPECT_TRUE(has("daemon connect"));
  backend_->publish("network", "create", "web");
  EXPECT_TRUE(has("network create"));
}

std::chrono::nanoseconds processor_time() {
  auto x = timespec{};
  EXPECT_EQ(0, ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &x));
  return std::chrono::seconds{x.tv_sec} + std::chrono::nanoseconds{x.tv_nsec};
}

// Client and server together. The goal of an optimised build is 0.15 ms; the
// bound leaves room for debugging and sanitizers.
TEST_F(Client, CallsAreCheap) {
  backend_->answer_on_thread = false;
  start();
  auto link = connect();
  constexpr auto rounds = 200;
  auto begin = processor_time();
  for (auto i = 0; i < rounds; ++i)
    ASSERT_TRUE(link->call(list_networks{}, 60s));
  auto each = (processor_time() - begin) / rounds;
  RecordProperty("ns_per_call", static_cast<int>(each.count()));
  EXPECT_LT(each, 3ms);
}

} // namespace

} // namespace troupe::test
