// Each fault once, in the real daemon on the real kernel.

#include "troupe/tests/system/faults/fixture.hpp"

#include <chrono>
#include <fstream>
#include <thread>

namespace troupe::test {

namespace {

using Faults = faults_test;
using std::chrono::steady_clock;

const std::vector<std::string> attach_words = {"attach", "net", "box"};
const std::vector<std::string> detach_words = {"detach", "net", "box"};

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

} // namespace

TEST_F(Faults, AFailedCallIsAClearErrorAndLeavesTheWorldAsItWas) {
  const auto before = observe();
  const auto id
    = inject({"kernel-fail", "--on", "add_veth", "--error", "ENOBUFS"});
  const auto says = refused(attach_words);
  EXPECT_TRUE(contains(says, "add_veth: injected fault")) << says;
  EXPECT_TRUE(contains(says, "no buffer space")) << says;
  EXPECT_EQ(hits(id), 1);
  EXPECT_EQ(difference_from(before), "");
  expect_clean();
  accepted(attach_words);
  expect_clean();
}

TEST_F(Faults, ALostReplyOfACallLeavesTheWorldAsItWas) {
  const auto before = observe();
  const auto id
    = inject({"kernel-lose-reply", "--on", "add_veth", "--error", "ENOBUFS"});
  const auto says = refused(attach_words);
  EXPECT_TRUE(contains(says, "injected loss of the reply")) << says;
  EXPECT_EQ(hits(id), 1);
  EXPECT_EQ(difference_from(before), "");
  expect_clean();
}

TEST_F(Faults, ADelayedCallTakesItsTimeAndSucceeds) {
  (void)inject({"kernel-delay", "--on", "add_veth", "--delay-ms", "300"});
  const auto begin = steady_clock::now();
  accepted(attach_words);
  EXPECT_GE(steady_clock::now() - begin, std::chrono::milliseconds{300});
  expect_clean();
}

TEST_F(Faults, ADelayOutlastsNeitherItsFaultNorTheDaemon) {
  (void)inject({"kernel-delay", "--on", "add_veth", "--delay-ms", "600000"});
  auto client = spawn(
    {command_line_path(), "--host", daemon().uri(), "attach", "net", "box"},
    daemon().dir() + "/client");
  for (auto i = 0; i < 500 && hits("1") < 1; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  accepted({"fault", "clear"});
  EXPECT_EQ(wait_for(client, std::chrono::seconds{10}), 0);
  accepted(detach_words);
  (void)inject({"kernel-delay", "--on", "add_veth", "--delay-ms", "600000"});
  client = spawn(
    {command_line_path(), "--host", daemon().uri(), "attach", "net", "box"},
    daemon().dir() + "/client");
  for (auto i = 0; i < 500 && hits("2") < 1; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  const auto begin = steady_clock::now();
  EXPECT_EQ(daemon().terminate(), 0);
  EXPECT_LT(steady_clock::now() - begin, std::chrono::seconds{20});
  EXPECT_GE(wait_for(client, std::chrono::seconds{10}), 0);
  start_again();
  expect_clean();
}

TEST_F(Faults, AFailedCommitLeavesTheWorldAsItWas) {
  const auto before = observe();
  for (const auto* fault : {"store-full", "store-io-error"}) {
    const auto id = inject({fault});
    EXPECT_TRUE(contains(refused(attach_words), "commit: injected")) << fault;
    EXPECT_EQ(hits(id), 1) << fault;
    EXPECT_EQ(difference_from(before), "") << fault;
    expect_clean();
  }
}

TEST_F(Faults, ACommitWithoutAnAnswerIsWhollyThereOrNot) {
  (void)inject({"store-lose-reply"});
  auto ran = daemon().troupe(attach_words);
  EXPECT_NE(ran.code, 0);
  expect_clean();
  daemon().kill();
  start_again();
  expect_clean();
}

TEST_F(Faults, ALostReplyOfARequestHidesAnEffect) {
  (void)inject({"request-lose-reply", "--on", "attach_sandbox"});
  const auto says = refused(attach_words);
  EXPECT_TRUE(contains(says, "the outcome is unknown")) << says;
  accepted(detach_words);
  expect_clean();
}

TEST_F(Faults, ACrashAnywhereIsRecoveredFrom) {
  for (const auto& fault : std::vector<std::vector<std::string>>{
         {"kernel-crash-before", "--on", "add_veth"},
         {"kernel-crash-after", "--on", "add_veth"},
         {"kernel-crash-after", "--on", "change_elements"},
         {"store-crash-before"},
         {"store-crash-after"},
         {"request-crash-before"},
         {"request-crash-after"}}) {
    SCOPED_TRACE(fault.front() + " " + fault.back());
    (void)inject(fault);
    const auto says = refused(attach_words);
    EXPECT_TRUE(contains(says, "the daemon hung up")) << says;
    expect_crash_and_restart();
    EXPECT_TRUE(contains(daemon().log(), "injected fault 1: " + fault.front()));
    EXPECT_EQ(must("GET", "/v1/faults").dump(), R"({"faults":[]})")
      << "faults end with the process";
    expect_clean();
    (void)daemon().troupe(detach_words);
    if (HasFailure())
      return;
  }
}

TEST_F(Faults, ByChanceEverythingEndsWell) {
  const auto before = observe();
  (void)inject({"kernel-fail", "--per-mille", "100", "--seed", "1"});
  (void)inject({"store-full", "--per-mille", "100", "--seed", "2"});
  auto failed = 0;
  for (auto i = 0; i < 30; ++i) {
    failed += daemon().troupe(attach_words).code != 0;
    failed += daemon().troupe(detach_words).code != 0;
  }
  EXPECT_GT(failed, 5);
  EXPECT_LT(failed, 60);
  accepted({"fault", "clear"});
  (void)daemon().troupe(detach_words);
  EXPECT_EQ(difference_from(before), "");
  expect_clean();
}

TEST_F(Faults, AreSeenInStatusMetricsLogAndJournal) {
  auto status = [this] {
    return daemon().troupe({"status"}).out;
  };
  EXPECT_TRUE(contains(status(), "fault injection is enabled: 0 armed"));
  (void)inject({"kernel-fail", "--on", "add_veth"});
  EXPECT_TRUE(contains(status(), "1 armed, 0 injected"));
  (void)refused(attach_words);
  EXPECT_TRUE(contains(status(), "0 armed, 1 injected"));
  const auto log = daemon().troupe({"fault", "log"}).out;
  EXPECT_TRUE(contains(log, "kernel-fail")) << log;
  EXPECT_TRUE(contains(daemon().log(), "fault injection is enabled"));
  EXPECT_TRUE(contains(daemon().log(),
                       "warning injected fault 1: kernel-fail on "
                       "add_veth (EIO)"));
  expect_clean();
}

TEST_F(Faults, AScenarioOfTheSimulatorIsAPlan) {
  const auto path = daemon().dir() + "/plan.json";
  std::ofstream{path} << R"({
    "name": "moved", "clients": 3, "operations": 60, "mix": {"attach": 1},
    "faults": [
      {"fault": "kernel-fail", "on": "add_veth", "error": "ENOBUFS", "nth": 0},
      {"fault": "store-full", "nth": 0} // The next commit.
    ]})";
  accepted({"fault", "add", "--file", path});
  (void)refused(attach_words);
  (void)refused(attach_words);
  accepted(attach_words);
  expect_clean();
}

} // namespace troupe::test
