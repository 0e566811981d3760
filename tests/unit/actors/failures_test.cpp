#include "troupe/tests/fixtures/backend_contract.hpp"
#include "troupe/tests/unit/actors/live_system.hpp"

#include <atomic>
#include <future>
#include <mutex>
#include <stdexcept>

namespace troupe::test {

namespace {

using namespace std::chrono_literals;

/// Much longer than an answer takes, much shorter than a deadline.
constexpr auto at_once = 8s;

struct failures : live_system {
  std::chrono::steady_clock::time_point began
    = std::chrono::steady_clock::now();

  std::chrono::steady_clock::duration passed() const {
    return std::chrono::steady_clock::now() - began;
  }
};

// -- handlers of a user's program ---------------------------------------------

TEST_F(failures, HandlersHarmNobody) {
  handler_contract{*backend}.check();
}

TEST_F(failures, AHandlerMayNotWaitForAReply) {
  auto outcome = std::make_shared<std::promise<result<reply>>>();
  auto future = outcome->get_future();
  backend->submit(get_status{}, 30s, [=, this](const result<reply>&) {
    outcome->set_value(backend->call(get_status{}, 30s));
  });
  ASSERT_EQ(future.wait_for(at_once), std::future_status::ready);
  auto refused = future.get();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ec::invalid_argument);
}

TEST_F(failures, AHandlerMaySubscribe) {
  auto seen = std::make_shared<std::atomic<int>>(0);
  auto number = std::make_shared<std::promise<uint64_t>>();
  auto known = number->get_future();
  backend->submit(get_status{}, 30s, [=, this](const result<reply>&) {
    number->set_value(backend
                        ->subscribe([seen](const event&) {
                          ++*seen;
                        })
                        .value());
  });
  ASSERT_EQ(known.wait_for(at_once), std::future_status::ready);
  make_network("web", "null");
  for (auto i = 0; i < 500 && *seen == 0; ++i)
    std::this_thread::sleep_for(10ms);
  EXPECT_GT(*seen, 0);
  backend->unsubscribe(known.get());
}

// -- actors that end by themselves --------------------------------------------

TEST_F(failures, AnExceptionAtStartIsReportedAtOnce) {
  backend.reset();
  auto parts = parts_of_machine();
  parts.open_store = []() -> result<std::unique_ptr<persistence::store>> {
    throw std::runtime_error{"the disk has gone up in smoke"};
  };
  began = std::chrono::steady_clock::now();
  auto opened = open_backend(how, std::move(parts));
  ASSERT_FALSE(opened);
  EXPECT_LT(passed(), at_once);
  EXPECT_NE(opened.error().message.find("the store ended unexpectedly"),
            std::string::npos)
    << opened.error().message;
  EXPECT_NE(opened.error().message.find("gone up in smoke"), std::string::npos)
    << opened.error().message;
}

TEST_F(failures, AnExceptionWhileLoadingIsReportedAtOnce) {
  backend.reset();
  auto parts = parts_of_machine();
  parts.make_ports = []() -> std::unique_ptr<drivers::port_book> {
    throw std::runtime_error{"no ports in a storm"};
  };
  began = std::chrono::steady_clock::now();
  auto opened = open_backend(how, std::move(parts));
  ASSERT_FALSE(opened);
  EXPECT_LT(passed(), at_once);
  EXPECT_NE(opened.error().message.find("no ports in a storm"),
            std::string::npos)
    << opened.error().message;
}

struct failing_store : failures {
  failing_store() {
    disk->before_commit = [broken = broken](auto) -> result<void> {
      if (*broken)
        throw std::runtime_error{"wrong page"};
      return {};
    };
  }

  std::shared_ptr<std::atomic<bool>> broken
    = std::make_shared<std::atomic<bool>>(false);
};

TEST_F(failing_store, EveryRequestSaysWhyWhenAServiceHasEnded) {
  make_network("web");
  auto told = std::make_shared<std::promise<std::string>>();
  auto reason = told->get_future();
  backend->on_failure([told](const error& why) {
    told->set_value(why.message);
  });
  *broken = true;
  began = std::chrono::steady_clock::now();
  auto spec = sandbox_spec{};
  spec.name = "box";
  auto during = outcome(create_sandbox{spec});
  EXPECT_NE(during.find("unavailable"), std::string::npos) << during;
  ASSERT_EQ(reason.wait_for(at_once), std::future_status::ready);
  EXPECT_NE(reason.get().find("wrong page"), std::string::npos);
  auto after = outcome(inspect_network{"web"});
  EXPECT_NE(after.find("unavailable"), std::string::npos) << after;
  EXPECT_NE(after.find("wrong page"), std::string::npos) << after;
  EXPECT_FALSE(backend->subscribe([](const event&) {}));
  EXPECT_LT(passed(), at_once);
  // Who asks too late is told all the same.
  auto again = std::make_shared<std::atomic<bool>>(false);
  backend->on_failure([again](const error&) {
    *again = true;
  });
  EXPECT_TRUE(*again);
  backend.reset();
  EXPECT_LT(passed(), 2 * at_once);
}

TEST_F(failing_store, RequestsInWorkAreAnsweredAsWell) {
  make_network("web");
  auto replies = std::vector<std::future<result<reply>>>{};
  *broken = true;
  began = std::chrono::steady_clock::now();
  for (auto i = 0; i < 20; ++i) {
    auto spec = endpoint_spec{};
    spec.name = "ep" + std::to_string(i);
    auto answer = std::make_shared<std::promise<result<reply>>>();
    replies.push_back(answer->get_future());
    backend->submit(create_endpoint{"web", spec}, 30s,
                    [answer](result<reply> x) {
                      answer->set_value(std::move(x));
                    });
  }
  for (auto& x : replies) {
    ASSERT_EQ(x.wait_for(at_once), std::future_status::ready);
    EXPECT_EQ(x.get().error().code, ec::unavailable);
  }
  EXPECT_LT(passed(), at_once);
}

// -- limits -------------------------------------------------------------------

struct standing_store : failures {
  standing_store() {
    disk->before_commit = [mutex = mutex](auto) -> result<void> {
      auto lock = std::unique_lock{*mutex};
      return {};
    };
  }

  std::shared_ptr<std::mutex> mutex = std::make_shared<std::mutex>();
};

TEST_F(standing_store, InquiriesAreAnsweredWhenAllPlacesAreTaken) {
  backend.reset();
  how.max_requests = 2;
  start();
  make_network("web");
  auto replies = std::vector<std::future<result<reply>>>{};
  auto stand_still = std::unique_lock{*mutex};
  for (auto i = 0; i < 2; ++i) {
    auto spec = endpoint_spec{};
    spec.name = "ep" + std::to_string(i);
    auto answer = std::make_shared<std::promise<result<reply>>>();
    replies.push_back(answer->get_future());
    backend->submit(create_endpoint{"web", spec}, 30s,
                    [answer](result<reply> x) {
                      answer->set_value(std::move(x));
                    });
  }
  EXPECT_EQ(outcome(list_networks{}),
            "unavailable: send request: 2 requests are in work");
  EXPECT_EQ(outcome(get_status{}), "ok");
  stand_still.unlock();
  for (auto& x : replies)
    EXPECT_TRUE(x.get());
}

TEST_F(standing_store, ANetworkHasABoundedQueue) {
  backend.reset();
  how.max_queue = 1;
  start();
  make_network("web");
  make_network("other");
  auto stand_still = std::unique_lock{*mutex};
  auto codes = std::vector<std::future<std::string>>{};
  for (auto i = 0; i < 40; ++i) {
    auto spec = endpoint_spec{};
    spec.name = "ep" + std::to_string(i);
    auto answer = std::make_shared<std::promise<std::string>>();
    codes.push_back(answer->get_future());
    backend->submit(create_endpoint{"web", spec}, 30s,
                    [answer](const result<reply>& x) {
                      answer->set_value(x ? "ok" : x.error().message);
                    });
  }
  auto refused = 0;
  for (auto i = 2U; i < 40; ++i) {
    ASSERT_EQ(codes[i].wait_for(at_once), std::future_status::ready);
    const auto said = codes[i].get();
    EXPECT_NE(said.find("network \"web\": too many operations wait"),
              std::string::npos)
      << said;
    ++refused;
  }
  EXPECT_EQ(refused, 38);
  // Another network has a queue of its own.
  auto spec = endpoint_spec{};
  spec.name = "elsewhere";
  auto elsewhere = std::make_shared<std::promise<std::string>>();
  auto said = elsewhere->get_future();
  backend->submit(create_endpoint{"other", spec}, 30s,
                  [elsewhere](const result<reply>& x) {
                    elsewhere->set_value(x ? "ok" : x.error().message);
                  });
  stand_still.unlock();
  EXPECT_EQ(codes[0].get(), "ok");
  EXPECT_EQ(codes[1].get(), "ok");
  EXPECT_EQ(said.get(), "ok");
  EXPECT_EQ(make_endpoint("web", "later").spec.name, "later");
}

} // namespace

} // namespace troupe::test
