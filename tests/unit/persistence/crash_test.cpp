// SIGKILL at random instants: what was acknowledged is there, what was not is
// there wholly or not at all.

#include "fixture.hpp"
#include <chrono>
#include <csignal>

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

namespace troupe::persistence {

namespace {

constexpr unsigned max_operations = 100'000;

/// An operation of each kind: three networks, or a whole attach.
std::vector<change> operation(unsigned n) {
  if (n % 2 == 0)
    return {make_network(3 * n), make_network(3 * n + 1),
            make_network(3 * n + 2)};
  return {make_sandbox(n), make_endpoint(n, true), make_join(n)};
}

/// In the child: commits operations from `n` on and reports each one's number
/// once it is acknowledged.
[[noreturn]] void work(const store_options& how, unsigned n, int report) {
  auto store = open_lmdb_with(how);
  if (!store)
    ::_exit(1);
  for (; n < max_operations; ++n) {
    auto changes = operation(n);
    if (!(*store)->commit(changes)
        || ::write(report, &n, sizeof(n)) != sizeof(n))
      ::_exit(2);
  }
  ::_exit(3);
}

class Kill : public store_test {
protected:
  /// Runs a child from operation `first` on and kills it after a while.
  /// @returns the last operation acknowledged, `first - 1` if none was.
  unsigned run_and_kill(unsigned first, int delay_us) {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    auto child = ::fork();
    if (child == 0) {
      ::close(ends[0]);
      work(how, first, ends[1]);
    }
    ::close(ends[1]);
    auto waiting = pollfd{ends[0], POLLIN, 0};
    EXPECT_EQ(::poll(&waiting, 1, 20'000), 1);
    ::usleep(static_cast<useconds_t>(delay_us));
    ::kill(child, SIGKILL);
    auto last = first - 1;
    auto n = 0U;
    while (::read(ends[0], &n, sizeof(n)) == sizeof(n))
      last = n;
    ::close(ends[0]);
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status)) << "exit " << WEXITSTATUS(status);
    return last;
  }

  /// The records of operations 0 to `last`, and of no other but perhaps the
  /// next one. @returns how many operations are there.
  unsigned expect_consistent(unsigned acknowledged) {
    auto store = open();
    EXPECT_TRUE(store) << store.error().message;
    EXPECT_TRUE((*store)->opened().quarantined.empty());
    EXPECT_FALSE((*store)->opened().suspicious);
    auto content = (*store)->load().value();
    auto done = content.networks.size() / 3 + content.sandboxes.size();
    EXPECT_EQ(content.networks.size() % 3, 0u);
    EXPECT_EQ(content.sandboxes.size(), content.joins.size());
    EXPECT_EQ(content.sandboxes.size(), content.endpoints.size());
    EXPECT_GE(done, acknowledged);
    EXPECT_LE(done, acknowledged + 1);
    return static_cast<unsigned>(done);
  }
};

} // namespace

TEST_F(Kill, LosesNothingAcknowledgedAndLeavesNothingHalf) {
  auto random = std::mt19937{11};
  auto done = 0U;
  for (int round = 0; round < 40; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    auto last = run_and_kill(done, static_cast<int>(random() % 5'000));
    done = expect_consistent(last + 1);
    ASSERT_FALSE(HasFailure());
  }
  EXPECT_GE(done, 40u);
}

TEST_F(Kill, InsideOpeningLosesNothing) {
  auto random = std::mt19937{12};
  {
    auto store = open();
    ASSERT_TRUE(store);
    for (unsigned n = 0; n < 20; ++n)
      ASSERT_TRUE(commit(**store, operation(n)));
  }
  for (int round = 0; round < 60; ++round) {
    auto child = ::fork();
    if (child == 0) {
      (void)open();
      ::_exit(0);
    }
    ::usleep(static_cast<useconds_t>(random() % 20'000));
    ::kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    if (round % 10 == 9) {
      EXPECT_EQ(expect_consistent(20), 20u);
    }
  }
}

TEST_F(Kill, LeavesTheLockToTheNextOne) {
  auto done = run_and_kill(0, 0);
  // At once: the lock goes with the process.
  EXPECT_TRUE(open()) << "after operation " << done;
}

} // namespace troupe::persistence
