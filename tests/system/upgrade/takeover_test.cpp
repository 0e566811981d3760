// A running system made by the programs of an older build is taken over by
// those of this one, under traffic.

#include "troupe/tests/system/harness/system_test.hpp"
#include "troupe/tests/system/harness/traffic.hpp"
#include "troupe/tests/system/publish/connection.hpp"
#include "troupe/tests/upgrade/compare.hpp"

#include <cstdlib>

#include <unistd.h>

namespace troupe::test {

namespace {

class Takeover : public system_test {
protected:
  void SetUp() override {
    const auto* folder = std::getenv("TEST_OLD_BIN");
    if (folder == nullptr)
      GTEST_SKIP() << "TEST_OLD_BIN names no older build";
    old_ = std::string{folder} + "/trouped";
    ASSERT_EQ(::access(old_.c_str(), X_OK), 0) << old_;
    system_test::SetUp();
  }

  void TearDown() override {
    if (!old_.empty())
      system_test::TearDown();
  }

  /// Ends the daemon, in order or not, and starts the other program.
  void hand_over(const std::string& program, bool is_killed) {
    ++hand_overs_;
    is_killed ? daemon().kill() : (void)daemon().terminate();
    daemon().set_program(program);
    ASSERT_EQ(daemon().start(), "");
    observe_daemon();
  }

  static void expect_talk(const connection& a, const connection& b) {
    ASSERT_TRUE(a.is_open() && b.is_open());
    EXPECT_TRUE(a.say("there"));
    EXPECT_EQ(b.hear(), "there");
    EXPECT_TRUE(b.say("and back"));
    EXPECT_EQ(a.hear(), "and back");
  }

  std::string old_;
  int hand_overs_ = 0;
};

TEST_F(Takeover, LosesNoConnectionAndNoObject) {
  hand_over(old_, false);
  create_network("steady", {{"enable_ipv6", true}});
  create_network("elsewhere");
  const auto from = create_sandbox("from").value("key", "");
  const auto to = create_sandbox("to").value("key", "");
  const auto far = create_sandbox("far").value("key", "");
  attach("steady", "from");
  attach("elsewhere", "far");
  auto published = daemon().troupe({"attach", "steady", "to", "-p", "8080:80"});
  ASSERT_EQ(published.code, 0) << published.err;
  auto endpoint = must("GET", "/v1/networks/steady/endpoints/to");
  const auto host = endpoint.value("gateway", "");
  auto streams = std::vector<std::unique_ptr<traffic>>{};
  for (const auto& address : endpoint.at("spec").at("addresses")) {
    streams.push_back(
      std::make_unique<traffic>(from, to, without_length(address)));
    ASSERT_EQ(streams.back()->refusal(), "");
  }
  auto listener = listen_in(to, 80);
  auto outside = connect_from(far, host, 8080);
  auto through_rules = listener.accept();
  auto inside = connect_from("", "127.0.0.1", 8080);
  auto through_proxy = listener.accept();

  for (auto is_killed : {false, true}) {
    SCOPED_TRACE(is_killed ? "after a kill" : "after an orderly end");
    ASSERT_NO_FATAL_FAILURE(hand_over(daemon_path(), is_killed));
    EXPECT_EQ(doctor(), "");
    expect_talk(outside, through_rules);
    expect_talk(inside, through_proxy);
    auto fresh = connect_from(far, host, 8080);
    expect_talk(fresh, listener.accept());
    auto now = must("GET", "/v1/networks/steady/endpoints/to");
    auto differences = std::string{};
    for (const auto* field : {"spec", "bindings", "interface", "gateway"})
      compare(endpoint[field], now[field], field, differences);
    EXPECT_EQ(differences, "");
    // The old program takes back what the new one has only run.
    ASSERT_NO_FATAL_FAILURE(hand_over(old_, is_killed));
    expect_talk(outside, through_rules);
  }
  ASSERT_NO_FATAL_FAILURE(hand_over(daemon_path(), false));
  for (auto& stream : streams) {
    auto report = stream->stop();
    // Where the other release has other rules the tables are made anew, and a
    // packet that is just in them may be lost (docs/firewall.md).
    EXPECT_LE(report.sent, report.received + hand_overs_) << report.text();
    EXPECT_EQ(report.duplicates + report.refused, 0) << report.text();
  }
  remove_everything();
  touch_everything();
  observe_daemon();
}

} // namespace

} // namespace troupe::test
