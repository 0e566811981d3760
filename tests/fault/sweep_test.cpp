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
    if (is_chosen(x)) {
      auto wrong = it.check_outcome(x);
      report(x, wrong + it.check_empty());
    }
    return hit;
  }

  bool crash_one(const fault& x) {
    auto it = run{GetParam()};
    const auto hit = it.strike(x);
    if (hit && is_chosen(x)) {
      auto wrong = it.check_recovery();
      report(x, wrong + it.check_empty());
    }
    return hit;
  }

  /// Crashes at `x`, and again at each call of the recovery.
  bool crash_twice(const fault& x) {
    auto second = x;
    second.in_store = false;
    for (second.nth = 0; second.nth < most_calls; ++second.nth) {
      auto it = run{GetParam()};
      if (!it.strike(x))
        return false;
      if (!it.crash_in_recovery(second))
        return true;
      auto wrong = it.check_recovery();
      if (!wrong.empty())
        wrong = "  then " + to_string(second) + " in the recovery\n" + wrong;
      report(x, wrong + it.check_empty());
    }
    return true;
  }

  size_t failures_ = 0;
};

TEST_P(sweep, LeavesNothingHalfDoneWhenAKernelCallFails) {
  for (auto os_error : injected_errors)
    for (auto for_ever : {false, true})
      each_call({false, fault::effect::fail, 0, for_ever, os_error},
                [this](const fault& x) {
                  return fail_one(x);
                });
}

TEST_P(sweep, LeavesNothingHalfDoneWhenAKernelReplyIsLost) {
  for (auto os_error : {ENOBUFS, ETIMEDOUT})
    each_call({false, fault::effect::lose_reply, 0, false, os_error},
              [this](const fault& x) {
                return fail_one(x);
              });
}

TEST_P(sweep, LeavesNothingHalfDoneWhenACommitFails) {
  for (auto what : {fault::effect::fail, fault::effect::lose_reply})
    for (auto for_ever : {false, true})
      each_call({true, what, 0, for_ever, 0}, [this](const fault& x) {
        return fail_one(x);
      });
}

TEST_P(sweep, RecoversFromACrashAtAnyCall) {
  for (auto in_store : {false, true})
    for (auto what : {fault::effect::crash_before, fault::effect::crash_after})
      each_call({in_store, what, 0, false, 0}, [this](const fault& x) {
        return crash_one(x);
      });
}

TEST_P(sweep, RecoversFromACrashInTheRecovery) {
  for (auto in_store : {false, true})
    for (auto what : {fault::effect::crash_before, fault::effect::crash_after})
      each_call({in_store, what, 0, false, 0}, [this](const fault& x) {
        return crash_twice(x);
      });
}

INSTANTIATE_TEST_SUITE_P(Requests, sweep, ::testing::ValuesIn(scenarios()),
                         [](const auto& x) {
                           return x.param.name;
                         });

/// Prints how much was done; a sweep that shrinks unseen proves nothing.
class run_counter : public ::testing::Environment {
public:
  void TearDown() override {
    std::cout << "fault runs: " << runs() << std::endl;
  }
};

[[maybe_unused]] const auto* const counter
  = ::testing::AddGlobalTestEnvironment(new run_counter);

} // namespace

} // namespace troupe::fault
