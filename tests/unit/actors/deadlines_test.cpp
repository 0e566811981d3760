#include "troupe/actors/core/deadlines.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <vector>

namespace troupe {

namespace {

using namespace std::chrono_literals;

constexpr auto never = std::chrono::minutes{10};

TEST(Deadlines, RunWhenTheyHavePassedAndNotBefore) {
  auto due = deadlines{};
  auto ran = std::promise<deadlines::clock::time_point>{};
  const auto start = deadlines::clock::now();
  auto ticket = due.watch(30ms, [&] {
    ran.set_value(deadlines::clock::now());
  });
  EXPECT_GE(ran.get_future().get() - start, 30ms);
}

TEST(Deadlines, RunInTheOrderOfTheirTime) {
  auto due = deadlines{};
  auto order = std::vector<int>{};
  auto last = std::promise<void>{};
  auto a = due.watch(never, [] {});
  auto b = due.watch(60ms, [&] {
    order.push_back(2);
    last.set_value();
  });
  auto c = due.watch(20ms, [&] { // earlier than what the thread sleeps for
    order.push_back(1);
  });
  last.get_future().wait();
  EXPECT_EQ(order, (std::vector{1, 2}));
}

TEST(Deadlines, AreForgottenWithTheirTicket) {
  auto due = deadlines{};
  auto ran = std::atomic<int>{0};
  auto last = std::promise<void>{};
  auto withdrawn = due.watch(10ms, [&] {
    ++ran;
  });
  withdrawn.reset();
  auto kept = due.watch(30ms, [&] {
    last.set_value();
  });
  last.get_future().wait();
  EXPECT_EQ(ran, 0);
}

TEST(Deadlines, MayWatchOthersAndDropTicketsWhileTheyRun) {
  auto due = deadlines{};
  auto done = std::promise<void>{};
  auto second = deadlines::ticket{};
  auto other = due.watch(never, [] {});
  auto first = due.watch(5ms, [&] {
    other.reset();
    second = due.watch(5ms, [&] {
      done.set_value();
    });
  });
  done.get_future().wait();
}

TEST(Deadlines, DoNotKeepTheirOwnerFromEnding) {
  auto ran = std::atomic<bool>{false};
  {
    auto due = deadlines{};
    auto ticket = due.watch(never, [&] {
      ran = true;
    });
    ticket.reset();
    auto idle = deadlines{};
  }
  EXPECT_FALSE(ran);
}

TEST(Deadlines, AreExactWithManyThreads) {
  auto due = deadlines{};
  auto ran = std::atomic<int>{0};
  auto workers = std::vector<std::thread>{};
  for (auto n = 0; n < 4; ++n)
    workers.emplace_back([&] {
      auto kept = std::vector<deadlines::ticket>{};
      for (auto i = 0; i < 500; ++i) {
        (void)due.watch(never, [] {
          ADD_FAILURE() << "withdrawn, and yet it ran";
        });
        kept.push_back(due.watch(std::chrono::milliseconds{i % 7}, [&] {
          ++ran;
        }));
      }
      for (auto i = 0; i < 1'000 && ran < 2'000; ++i)
        std::this_thread::sleep_for(5ms);
    });
  for (auto& x : workers)
    x.join();
  EXPECT_EQ(ran, 2'000);
}

} // namespace

} // namespace troupe
