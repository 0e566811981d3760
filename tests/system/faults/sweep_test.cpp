// Every kernel call and every commit of an attach and a detach fails once, in
// the real daemon on the real kernel.

#include "troupe/tests/system/faults/fixture.hpp"

namespace troupe::test {

namespace {

using FaultSweep = faults_test;

// More calls than any operation makes.
constexpr auto most = 400;

} // namespace

TEST_F(FaultSweep, EachCallOfAnAttach) {
  const auto before = observe();
  auto failed = 0;
  for (auto n = 0;; ++n) {
    ASSERT_LT(n, most);
    SCOPED_TRACE("call " + std::to_string(n));
    const auto id = inject(
      {"kernel-fail", "--error", "ENOBUFS", "--nth", std::to_string(n)});
    const auto ran = daemon().troupe({"attach", "net", "box"});
    const auto struck = hits(id) > 0;
    accepted({"fault", "clear"});
    failed += ran.code != 0;
    // Some calls only tidy up, or are tried again: no error is seen then.
    if (ran.code == 0) {
      expect_clean();
      accepted({"detach", "net", "box"});
    }
    ASSERT_EQ(difference_from(before), "") << ran.err;
    expect_clean();
    if (!struck)
      break;
    RecordProperty("calls", n + 1);
  }
  // Link, address and route at least.
  EXPECT_GE(failed, 3);
  RecordProperty("failed", failed);
}

TEST_F(FaultSweep, EachCallOfADetachEvenIfTheReplyIsLost) {
  const auto before = observe();
  for (const auto* fault : {"kernel-fail", "kernel-lose-reply"})
    for (auto n = 0;; ++n) {
      ASSERT_LT(n, most);
      SCOPED_TRACE(std::string{fault} + " " + std::to_string(n));
      accepted({"attach", "net", "box"});
      const auto id
        = inject({fault, "--error", "ENOBUFS", "--nth", std::to_string(n)});
      const auto ran = daemon().troupe({"detach", "net", "box"});
      const auto struck = hits(id) > 0;
      accepted({"fault", "clear"});
      if (ran.code != 0)
        (void)daemon().troupe({"detach", "net", "box"});
      ASSERT_EQ(difference_from(before), "") << ran.err;
      expect_clean();
      if (!struck)
        break;
    }
}

} // namespace troupe::test
