#include "live_system.hpp"
#include <atomic>
#include <future>
#include <mutex>
#include <set>
#include <thread>

namespace troupe::test {

namespace {

struct concurrency : live_system {
  /// Runs the work in so many threads at once.
  template <class Work>
  void at_once(int count, Work work) {
    auto threads = std::vector<std::thread>{};
    for (auto i = 0; i < count; ++i)
      threads.emplace_back([work, i] {
        work(i);
      });
    for (auto& x : threads)
      x.join();
  }
};

/// Collects events; handlers run on a thread of the backend.
struct recorder {
  event_handler handler() {
    return [this](const event& x) {
      auto lock = std::lock_guard{mutex};
      events.push_back(x);
    };
  }
  std::vector<event> take() {
    auto lock = std::lock_guard{mutex};
    return events;
  }

  std::mutex mutex;
  std::vector<event> events;
};

TEST_F(concurrency, OfTwoThatWantOneNameOneWins) {
  make_network("web");
  make_sandbox("box");
  for (auto round = 0; round < 20; ++round) {
    const auto name = "n" + std::to_string(round);
    auto won = std::atomic<int>{0};
    at_once(2, [&](int) {
      auto network = network_spec{};
      network.name = name;
      won += outcome(create_network{network}) == "ok" ? 1 : 0;
    });
    EXPECT_EQ(won, 1) << name;
    EXPECT_EQ(outcome(remove_network{name}), "ok");
    won = 0;
    at_once(2, [&](int) {
      auto endpoint = endpoint_spec{};
      endpoint.name = name;
      won += outcome(create_endpoint{"web", endpoint}) == "ok" ? 1 : 0;
    });
    EXPECT_EQ(won, 1) << name;
    won = 0;
    at_once(2, [&](int) {
      auto sandbox = sandbox_spec{};
      sandbox.name = name;
      won += outcome(create_sandbox{sandbox}) == "ok" ? 1 : 0;
    });
    EXPECT_EQ(won, 1) << name;
    won = 0;
    at_once(2, [&](int) {
      won += outcome(attach_sandbox{"web", "box", {}}) == "ok" ? 1 : 0;
    });
    EXPECT_EQ(won, 1) << name;
    EXPECT_EQ(outcome(detach_sandbox{"web", "box"}), "ok");
  }
}

TEST_F(concurrency, ManyAttachesAtOnceGetDifferentAddresses) {
  make_network("web");
  auto mutex = std::mutex{};
  auto seen = std::set<std::string>{};
  at_once(8, [&](int thread) {
    for (auto i = 0; i < 5; ++i) {
      const auto name
        = "box-" + std::to_string(thread) + "-" + std::to_string(i);
      make_sandbox(name);
      auto x = attach("web", name);
      auto lock = std::lock_guard{mutex};
      seen.insert(to_string(x.spec.addresses.at(0)));
    }
  });
  EXPECT_EQ(seen.size(), 40U);
  EXPECT_EQ(disk->content.joins.size(), 40U);
}

TEST_F(concurrency, RemovalAgainstAttachLeavesNoHalves) {
  make_network("web");
  for (auto round = 0; round < 20; ++round) {
    make_sandbox("box");
    at_once(2, [&](int thread) {
      if (thread == 0)
        outcome(remove_sandbox{"box"});
      else
        outcome(attach_sandbox{"web", "box", {}});
    });
    EXPECT_TRUE(disk->content.sandboxes.empty()) << round;
    EXPECT_TRUE(disk->content.endpoints.empty()) << round;
    EXPECT_TRUE(disk->content.joins.empty()) << round;
    EXPECT_TRUE(
      call<endpoint_list>(list_endpoints{}).value().endpoints.empty());
  }
  EXPECT_EQ(outcome(remove_network{"web"}), "ok");
}

TEST_F(concurrency, EventsComeInOrderWithoutGaps) {
  auto seen = recorder{};
  auto subscription = backend->subscribe(seen.handler()).value();
  make_network("web");
  at_once(4, [&](int thread) {
    const auto name = "box" + std::to_string(thread);
    make_sandbox(name);
    attach("web", name);
    outcome(detach_sandbox{"web", name});
    outcome(remove_sandbox{name});
  });
  EXPECT_EQ(outcome(remove_network{"web"}), "ok");
  backend->unsubscribe(subscription);
  const auto events = seen.take();
  ASSERT_EQ(events.size(), 2U + 4U * 4U);
  auto actions = std::map<std::string, int>{};
  for (size_t i = 0; i < events.size(); ++i) {
    EXPECT_EQ(events[i].sequence, events[0].sequence + i);
    EXPECT_GT(events[i].time_ms, 0);
    ++actions[events[i].type + " " + events[i].action];
  }
  EXPECT_EQ(events.front().type + " " + events.front().action,
            "network create");
  EXPECT_EQ(events.back().type + " " + events.back().action, "network remove");
  EXPECT_EQ(actions["sandbox create"], 4);
  EXPECT_EQ(actions["endpoint join"], 4);
  EXPECT_EQ(actions["endpoint leave"], 4);
  EXPECT_EQ(actions["sandbox remove"], 4);
  // After unsubscribe nothing comes.
  make_network("late");
  EXPECT_EQ(seen.take().size(), events.size());
}

TEST_F(concurrency, RepairsOfWhatOthersChangedAreEvents) {
  auto network = make_network("web");
  make_sandbox("box");
  auto attached = attach("web", "box");
  const auto built = shape();
  auto seen = recorder{};
  auto subscription = backend->subscribe(seen.handler()).value();
  // An event goes by the real clock: one this soon after an own change is taken
  // for its echo (own_change_grace).
  std::this_thread::sleep_for(std::chrono::milliseconds{300});
  ASSERT_TRUE(machine.world->delete_link("", attached.host_interface));
  for (auto i = 0; i < 100 && shape() != built; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds{50});
  EXPECT_EQ(shape(), built);
  for (auto i = 0; i < 100 && seen.take().empty(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  backend->unsubscribe(subscription);
  auto events = seen.take();
  ASSERT_FALSE(events.empty());
  EXPECT_EQ(events[0].action, "repair");
  EXPECT_EQ(events[0].id, attached.spec.id.value);
  EXPECT_FALSE(events[0].attributes["reason"].empty());
}

TEST_F(concurrency, OwnChangesAreNoRepairs) {
  auto seen = recorder{};
  auto subscription = backend->subscribe(seen.handler()).value();
  make_network("web");
  for (auto i = 0; i < 5; ++i) {
    make_sandbox("box");
    attach("web", "box");
    outcome(remove_sandbox{"box"});
  }
  // That nothing comes is a matter of time; it came within 100 ms.
  std::this_thread::sleep_for(std::chrono::milliseconds{400});
  backend->unsubscribe(subscription);
  for (const auto& x : seen.take())
    EXPECT_NE(x.action, "repair") << x.type << " " << x.attributes.size();
}

// -- limits and ends ----------------------------------------------------------

struct limited : live_system {
  limited() {
    disk->before_commit = [mutex = mutex](auto) -> result<void> {
      auto lock = std::unique_lock{*mutex};
      return {};
    };
  }

  /// Outlives this object: the store still commits while the base ends.
  std::shared_ptr<std::mutex> mutex = std::make_shared<std::mutex>();
  std::mutex& gate = *mutex; ///< Held: the store's thread stands still.
};

TEST_F(limited, OverTheLimitIsUnavailableAtOnce) {
  backend.reset();
  how.max_requests = 3;
  start();
  make_network("web");
  auto replies = std::vector<std::future<result<reply>>>{};
  auto stand_still = std::unique_lock{gate};
  // More are refused than there are places: they take none.
  for (auto i = 0; i < 7; ++i) {
    auto spec = endpoint_spec{};
    spec.name = "ep" + std::to_string(i);
    auto answer = std::make_shared<std::promise<result<reply>>>();
    replies.push_back(answer->get_future());
    backend->submit(create_endpoint{"web", spec}, std::chrono::seconds{30},
                    [answer](result<reply> x) {
                      answer->set_value(std::move(x));
                    });
  }
  for (auto i : {3U, 4U, 5U, 6U}) {
    ASSERT_EQ(replies[i].wait_for(std::chrono::seconds{0}),
              std::future_status::ready);
    auto refused = replies[i].get();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ec::unavailable);
    EXPECT_EQ(refused.error().message, "send request: 3 requests are in work");
  }
  stand_still.unlock();
  for (auto i : {0U, 1U, 2U})
    EXPECT_TRUE(replies[i].get()) << i;
  // All places are free again.
  for (auto i = 0; i < 10; ++i)
    EXPECT_EQ(outcome(list_networks{}), "ok");
}

TEST_F(limited, ADeadlineThatPassesIsSaid) {
  make_network("web");
  auto stand_still = std::unique_lock{gate};
  auto spec = endpoint_spec{};
  spec.name = "ep1";
  auto late = backend->call(create_endpoint{"web", spec},
                            std::chrono::milliseconds{100});
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, ec::timeout);
  EXPECT_FALSE(late.error().hint.empty());
  stand_still.unlock();
  // The outcome was unknown; here it happened.
  for (auto i = 0; i < 100 && outcome(inspect_endpoint{"web", "ep1"}) != "ok";
       ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  EXPECT_EQ(state_of_endpoint("ep1"), "created");
}

TEST_F(limited, EveryHandlerIsCalledWhenTheBackendEnds) {
  make_network("web");
  for (auto round = 0; round < 5; ++round) {
    auto called = std::atomic<int>{0};
    for (auto i = 0; i < 50; ++i) {
      auto spec = endpoint_spec{};
      spec.name = "ep" + std::to_string(round) + "-" + std::to_string(i);
      backend->submit(create_endpoint{"web", spec}, std::chrono::seconds{30},
                      [&called](const result<reply>&) {
                        ++called;
                      });
    }
    const auto began = std::chrono::steady_clock::now();
    backend.reset();
    EXPECT_EQ(called, 50);
    // Nobody waits for a deadline.
    EXPECT_LT(std::chrono::steady_clock::now() - began,
              std::chrono::seconds{10});
    start();
  }
}

} // namespace

} // namespace troupe::test
