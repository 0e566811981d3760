#include "troupe/tests/fault/sweep.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>

namespace troupe::fault {

namespace {

/// More would only repeat themselves.
constexpr size_t most_failures = 8;

/// Longer operations than this are a mistake of the sweep.
constexpr unsigned most_calls = 400;

/// More faults, and more of them in a row: TEST_FACTOR.
bool is_long() {
  const char* text = std::getenv("TEST_FACTOR");
  return text != nullptr && std::strtoul(text, nullptr, 10) > 1;
}

/// Runs with one fault, or two of one kind.
size_t& single_faults() {
  static auto count = size_t{0};
  return count;
}

/// Series of crashes of which at least two came.
size_t& crashes_in_recovery() {
  static auto count = size_t{0};
  return count;
}

/// One scenario under all faults.
class sweep : public ::testing::TestWithParam<scenario> {
protected:
  /// Strikes call 0, 1, 2, … until there is no such call.
  template <class Body>
  void each_call(fault x, Body body) {
    for (x.nth = 0; x.nth < most_calls && failures_ < most_failures; ++x.nth)
      if (!body(x))
        return;
    EXPECT_LT(x.nth, most_calls);
  }

  /// A single fault can be chosen: TEST_FAULT="kernel fail 7 once ENOBUFS".
  static bool is_chosen(const fault& x) {
    const char* only = std::getenv("TEST_FAULT");
    return only == nullptr || to_string(x) == only;
  }

  void report(const fault& x, const std::string& wrong) {
    if (wrong.empty())
      return;
    ++failures_;
    ADD_FAILURE() << GetParam().name << ": " << to_string(x) << "\n" << wrong;
  }

  bool fail_one(const fault& x) {
    auto it = run{GetParam()};
    const auto hit = it.strike(x);
    single_faults() += hit ? 1 : 0;
    if (is_chosen(x)) {
      auto wrong = it.check_outcome(x);
      report(x, wrong + it.check_empty(x));
    }
    return hit;
  }

  bool crash_one(const fault& x) {
    auto it = run{GetParam()};
    const auto hit = it.strike(x);
    single_faults() += hit ? 1 : 0;
    if (hit && is_chosen(x)) {
      auto wrong = it.check_recovery();
      report(x, wrong + it.check_empty(x));
    }
    return hit;
  }

  /// Crashes at `x`, and again at each call and commit of the recovery, before
  /// and after it; at every third of them also in the recovery after that.
  bool crash_twice(const fault& x) {
    for (auto what : {fault::effect::crash_before, fault::effect::crash_after})
      for (auto where : {seam::kernel, seam::store}) {
        auto second = fault{where, what, 0, false, 0};
        for (; second.nth < most_calls; ++second.nth) {
          const auto found = crash_again(x, {second});
          if (found == series::never)
            return false;
          if (found == series::once)
            break;
          if (second.nth % 3 == 2)
            crash_again(x, {second, second});
          for (auto third = fault{where, what, 0, false, 0};
               is_long() && third.nth < 64; ++third.nth)
            if (crash_again(x, {second, third}) != series::again)
              break;
        }
      }
    return true;
  }

  /// How much of a series of crashes came: all, the first, or not even that.
  enum class series : uint8_t { never, once, again };

  /// @param others one in each recovery.
  series crash_again(const fault& x, const std::vector<fault>& others) {
    auto it = run{GetParam()};
    if (!it.strike(x))
      return series::never;
    for (const auto& other : others)
      if (!it.crash_in_recovery(other))
        return series::once;
    if (is_chosen(x)) {
      auto wrong = it.check_recovery();
      if (!wrong.empty())
        for (const auto& other : others)
          wrong.insert(0, "  then in the recovery " + to_string(other) + "\n");
      report(x, wrong + it.check_empty(x));
    }
    ++crashes_in_recovery();
    return series::again;
  }

  size_t failures_ = 0;
};

/// Those that crash in the recovery as well.
class recovery : public sweep {};

TEST_P(sweep, WorksWithoutAFault) {
  auto it = run{GetParam()};
  EXPECT_FALSE(
    it.strike({seam::kernel, fault::effect::fail, 1'000'000, false, EIO}));
  EXPECT_EQ(it.outcome().has_value(), !GetParam().refused)
    << (it.outcome() ? "" : it.outcome().error().message);
}

TEST_P(sweep, LeavesNothingHalfDoneWhenAKernelCallFails) {
  for (auto os_error : injected_errors())
    for (auto for_ever : {false, true})
      each_call({seam::kernel, fault::effect::fail, 0, for_ever, os_error},
                [this](const fault& x) {
                  return fail_one(x);
                });
}

TEST_P(sweep, LeavesNothingHalfDoneWhenTwoKernelCallsFail) {
  const auto most = is_long() ? 16U : 1U;
  for (auto os_error : injected_errors())
    for (auto gap = 1U; gap <= most; ++gap)
      if (is_long() || os_error == ENOBUFS)
        each_call({seam::kernel, fault::effect::fail, 0, false, os_error, gap},
                  [this](const fault& x) {
                    return fail_one(x);
                  });
}

TEST_P(sweep, LeavesNothingHalfDoneWhenAKernelReplyIsLost) {
  for (auto os_error : {ENOBUFS, ETIMEDOUT})
    each_call({seam::kernel, fault::effect::lose_reply, 0, false, os_error},
              [this](const fault& x) {
                return fail_one(x);
              });
}

TEST_P(sweep, LeavesNothingHalfDoneWhenACommitFails) {
  for (auto what : {fault::effect::fail, fault::effect::lose_reply})
    for (auto for_ever : {false, true})
      each_call({seam::store, what, 0, for_ever, 0}, [this](const fault& x) {
        return fail_one(x);
      });
}

TEST_P(sweep, LeavesNothingHalfDoneWhenAPortCannotBeHad) {
  for (auto what : {fault::effect::fail, fault::effect::lose_reply})
    for (auto os_error : {EADDRINUSE, EMFILE, ENOBUFS, ETIMEDOUT, EPIPE})
      for (auto for_ever : {false, true})
        each_call({seam::ports, what, 0, for_ever, os_error},
                  [this](const fault& x) {
                    return fail_one(x);
                  });
}

TEST_P(sweep, RecoversFromACrashAtAnyCall) {
  for (auto where : {seam::kernel, seam::store})
    for (auto what : {fault::effect::crash_before, fault::effect::crash_after})
      each_call({where, what, 0, false, 0}, [this](const fault& x) {
        return crash_one(x);
      });
}

TEST_P(recovery, SurvivesACrashInIt) {
  for (auto where : {seam::kernel, seam::store})
    for (auto what : {fault::effect::crash_before, fault::effect::crash_after})
      each_call({where, what, 0, false, 0}, [this](const fault& x) {
        return crash_twice(x);
      });
}

std::string name_of(const ::testing::TestParamInfo<scenario>& x) {
  return x.param.name;
}

INSTANTIATE_TEST_SUITE_P(Requests, sweep, ::testing::ValuesIn(scenarios()),
                         name_of);
INSTANTIATE_TEST_SUITE_P(Long, sweep, ::testing::ValuesIn(long_scenarios()),
                         name_of);
INSTANTIATE_TEST_SUITE_P(Requests, recovery, ::testing::ValuesIn(scenarios()),
                         name_of);

/// Prints how much was done; a sweep that shrinks unseen proves nothing.
class run_counter : public ::testing::Environment {
public:
  void TearDown() override {
    std::cout << "fault runs: " << runs() << "\n"
              << "fault count: systematic faults: " << single_faults() << "\n"
              << "fault count: crashes in the recovery: "
              << crashes_in_recovery() << std::endl;
  }
};

[[maybe_unused]] const auto* const counter
  = ::testing::AddGlobalTestEnvironment(new run_counter);

} // namespace

} // namespace troupe::fault
