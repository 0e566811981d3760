#include "troupe/netns/faulty/kernel.hpp"

#include "sweep_scenarios.hpp"
#include <array>
#include <cerrno>
#include <cstdio>
#include <sstream>

// Fault sweeps: every kernel call of every operation of the bridge driver
// fails once and for ever, with and without effect, with each errno. After a
// failure the world is as it was; where even the undo steps fail, the next try
// on a healthy kernel mends, and removing everything leaves nothing.

namespace troupe::test {

namespace {

using effect = netns::fault_rule::effect;

constexpr auto errnos
  = std::array{EPERM,  ENOENT, EINTR,  EAGAIN, ENOMEM,     EBUSY,   EEXIST,
               ENODEV, EINVAL, EMFILE, ENOSPC, EOPNOTSUPP, ENOBUFS, ETIMEDOUT};

constexpr auto longest_operation = 200U;

// An errno that says "is not there" makes a look-up lie, and an operation may
// rightly conclude that there is nothing to do.
bool is_a_lie(int os_error) {
  return os_error == ENOENT || os_error == ENODEV;
}

size_t total_runs = 0;

class Sweep : public ::testing::TestWithParam<scenario> {
protected:
  stage play;
  std::string pristine;

  /// Puts a fresh world in front of the operation and runs it with a fault.
  /// @returns false if the fault was not reached.
  bool meet(const netns::fault_rule& rule, result<void>& done) {
    play = stage{};
    GetParam().scenery(play);
    pristine = play.machine.print();
    GetParam().prepare(play);
    before_ = play.machine.print();
    auto plan = std::make_shared<netns::fault_plan>();
    plan->add(rule);
    auto faulty = netns::open_faulty_kernel(
      netns::open_simulated_kernel(play.machine.world), plan);
    done = GetParam().act(play, *faulty);
    if (plan->faults() > 0) {
      ++total_runs;
      return true;
    }
    EXPECT_TRUE(done) << text(done);
    EXPECT_TRUE(GetParam().is_done(play)) << play.machine.print();
    return false;
  }

  /// The operation survives one fault. @returns false if it was not reached.
  bool survive(const netns::fault_rule& rule) {
    auto done = result<void>{};
    if (!meet(rule, done))
      return false;
    const auto& x = GetParam();
    if (done && !(x.may_shrink && is_a_lie(rule.os_error))) {
      EXPECT_TRUE(x.is_done(play)) << play.machine.print();
    }
    if (!done && !rule.for_ever && !x.may_shrink && !x.keeps_repairs) {
      EXPECT_EQ(play.machine.print(), before_) << text(done);
    }
    retry_and_clean();
    return true;
  }

  void retry_and_clean() {
    auto again = GetParam().act(play, *play.machine.kernel);
    EXPECT_TRUE(again) << text(again);
    EXPECT_TRUE(GetParam().is_done(play)) << play.machine.print();
    play.clean();
    play.machine.world->finish_teardown();
    EXPECT_EQ(play.machine.print(), pristine);
  }

  /// What start-up does for networks and endpoints without a record.
  void clean_without_records() {
    auto found = play.driver->list(*play.machine.kernel).value();
    auto done = play.driver->remove_found(*play.machine.kernel, found);
    EXPECT_TRUE(done) << text(done);
    play.machine.world->finish_teardown();
    EXPECT_EQ(host_part(play.machine.print()), host_part(pristine));
  }

private:
  /// The lines about the host's namespace.
  static std::string host_part(const std::string& print) {
    auto result = std::string{};
    auto in = std::istringstream{print};
    for (auto line = std::string{}; std::getline(in, line);)
      if (line.starts_with("host: "))
        result += line + "\n";
    return result;
  }

  std::string before_;
};

TEST_P(Sweep, LeavesTheWorldAsItWas) {
  for (auto what : {effect::fail, effect::lose_reply})
    for (auto for_ever : {false, true})
      for (auto os_error : errnos)
        for (auto n = 0U; n < longest_operation; ++n) {
          SCOPED_TRACE(fmt::format(
            "call {}{} errno {}{}", n, for_ever ? " and on" : "", os_error,
            what == effect::lose_reply ? " after its effect" : ""));
          auto reached = survive({what, {}, n, for_ever, os_error, {}});
          if (HasFailure())
            return;
          if (!reached)
            break;
        }
}

TEST_P(Sweep, IsRecoveredFromACrashAnywhere) {
  for (auto what : {effect::crash_before, effect::crash_after})
    for (auto n = 0U; n < longest_operation; ++n) {
      SCOPED_TRACE(
        fmt::format("crash {} call {}",
                    what == effect::crash_before ? "before" : "after", n));
      auto rule = netns::fault_rule{what, {}, n, false, 0, {}};
      auto done = result<void>{};
      if (!meet(rule, done))
        break;
      retry_and_clean();
      meet(rule, done);
      clean_without_records();
      if (HasFailure())
        return;
    }
}

INSTANTIATE_TEST_SUITE_P(Bridge, Sweep,
                         ::testing::ValuesIn(bridge_scenarios().begin(),
                                             bridge_scenarios().end()),
                         [](const auto& x) {
                           return std::string{x.param.name};
                         });

/// Prints how many faults were injected.
class run_counter : public ::testing::Environment {
public:
  void TearDown() override {
    std::printf("fault sweeps of the bridge driver: %zu runs\n", total_runs);
  }
};

[[maybe_unused]] const auto* const counter
  = ::testing::AddGlobalTestEnvironment(new run_counter);

} // namespace

} // namespace troupe::test
