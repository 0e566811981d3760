// The check itself, in processes that make life hard for it.

#include "troupe/persistence/check.hpp"
#include "troupe/persistence/child.hpp"

#include "fixture.hpp"
#include <atomic>
#include <csignal>
#include <thread>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace troupe::persistence {

namespace {

class Check : public store_test {
protected:
  Check() {
    auto store = open();
    EXPECT_TRUE(store);
    EXPECT_TRUE(commit(**store, {make_network(1), make_network(2)}));
  }

  result<checked_file> check() const {
    return check_file(durable_file(), "durable");
  }

  void expect_healthy() const {
    auto checked = check();
    ASSERT_TRUE(checked) << checked.error().message;
    EXPECT_EQ(checked->verdict, checked_file::health::healthy)
      << checked->reason;
    EXPECT_EQ(checked->found.records[0].size(), 2u);
  }

  void expect_damaged() const {
    auto file = read_file(durable_file());
    // The page of records, without touching its header.
    for (size_t i = 2 * 4096; i < file.size(); i += 4096)
      for (size_t k = 16; k < 2048; ++k)
        file[i + k] = '\x7f';
    auto path = durable_file() + ".broken";
    write_file(path, file);
    auto checked = check_file(path, "durable");
    ASSERT_TRUE(checked) << checked.error().message;
    EXPECT_EQ(checked->verdict, checked_file::health::damaged);
  }
};

} // namespace

TEST_F(Check, ReadsWhatIsThere) {
  expect_healthy();
  expect_damaged();
}

TEST_F(Check, WorksWhileOtherThreadsAllocate) {
  auto stop = std::atomic<bool>{false};
  auto threads = std::vector<std::thread>{};
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      while (!stop) {
        auto garbage = std::vector<std::string>{};
        for (size_t k = 0; k < 100; ++k)
          garbage.emplace_back(k * 50, 'x');
      }
    });
  for (int i = 0; i < 100; ++i)
    expect_healthy();
  expect_damaged();
  stop = true;
  for (auto& x : threads)
    x.join();
}

TEST_F(Check, DoesNotNeedTheExitStatusOfItsChild) {
  // As in a program that reaps all its children, or has the kernel do it.
  auto before = std::signal(SIGCHLD, SIG_IGN);
  expect_healthy();
  expect_damaged();
  std::signal(SIGCHLD, before);
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
}

TEST_F(Check, IsNotMisledByAHandlerForCrashes) {
  auto before = std::signal(SIGSEGV, [](int) {
    ::_exit(0);
  });
  expect_damaged();
  std::signal(SIGSEGV, before);
}

TEST_F(Check, DoesNotBlameTheFileForASilentChild) {
  auto checked
    = check_file(durable_file(), "durable", std::chrono::milliseconds{0});
  if (checked) // The child was faster than no time at all.
    EXPECT_EQ(checked->verdict, checked_file::health::healthy);
  else
    EXPECT_EQ(checked.error().code, ec::unavailable);
  EXPECT_TRUE(std::filesystem::exists(durable_file()));
}

TEST_F(Check, DoesNotBlameTheFileForShortMemory) {
  auto child = ::fork();
  if (child == 0) {
    // Less address space than the map of the file and a little work need.
    auto limit = rlimit{1 << 20, 1 << 20};
    ::setrlimit(RLIMIT_AS, &limit);
    auto report
      = walk_in_child(durable_file(), 1 << 20, std::chrono::seconds{10});
    using outcome = walk_verdict::outcome;
    auto innocent = !report || report->verdict.how == outcome::unknown
                    || report->verdict.os_error == ENOMEM;
    ::_exit(innocent ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST_F(Check, StopsAChildThatSendsMoreThanAFileCanHold) {
  auto report = walk_in_child(durable_file(), 100, std::chrono::seconds{10});
  ASSERT_TRUE(report);
  EXPECT_EQ(report->verdict.how, walk_verdict::outcome::refused);
}

TEST_F(Check, LeavesNoChildAndNoDescriptorBehind) {
  auto count = [] {
    auto all = std::filesystem::directory_iterator{"/proc/self/fd"};
    return std::distance(begin(all), end(all));
  };
  auto before = count();
  for (int i = 0; i < 10; ++i)
    expect_healthy();
  EXPECT_EQ(count(), before);
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
}

TEST_F(Check, RefusesWhatIsNotAFile) {
  EXPECT_FALSE(check_file(how.durable_dir, "durable"));
  EXPECT_FALSE(check_file(how.durable_dir + "/absent", "durable"));
  std::filesystem::create_symlink(durable_file(), how.durable_dir + "/link");
  EXPECT_FALSE(check_file(how.durable_dir + "/link", "durable"));
}

} // namespace troupe::persistence
