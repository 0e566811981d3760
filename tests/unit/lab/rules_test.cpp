#include "troupe/tests/lab/simulated_system.hpp"

#include <gtest/gtest.h>

#include <cerrno>

namespace troupe::testing {

namespace {

/// A daemon with a network, and somebody who changes its rules.
class ChangedRules : public ::testing::Test {
protected:
  void SetUp() override {
    ASSERT_TRUE(system.start());
    ASSERT_TRUE(system.controller().create_network("bridge", "web"));
    table = netns::firewall::table_name(system.owner());
  }

  /// The lab has no events but the one that says that some were lost.
  void flush() {
    ASSERT_TRUE(system.world->flush_rules("", table));
    ASSERT_FALSE(present());
    system.lose_events();
  }

  bool present() const {
    const auto host = system.world->view().namespaces.front();
    return host.firewalls.contains(table) && host.without_rules.empty();
  }

  void fail_once(netns::call on) {
    auto rule = netns::fault_rule{};
    rule.on = on;
    rule.os_error = EAGAIN;
    system.kernel_faults->add(rule);
  }

  simulated_system system;
  std::string table;
};

TEST_F(ChangedRules, ComeBack) {
  flush();
  system.advance(std::chrono::seconds{1});
  EXPECT_TRUE(present());
}

// The elements are all there: only a load brings the rules back, and what is
// tried again must not forget why.
TEST_F(ChangedRules, ComeBackWhenTheElementsCannotBeListed) {
  fail_once(netns::call::list_elements);
  flush();
  system.advance(std::chrono::seconds{2});
  EXPECT_TRUE(present());
}

TEST_F(ChangedRules, ComeBackWhenTheyCannotBeLoadedAtOnce) {
  fail_once(netns::call::load_firewall);
  flush();
  system.advance(std::chrono::seconds{2});
  EXPECT_TRUE(present());
}

// Nobody has said so, and nothing can be listed: the regular comparison.
TEST_F(ChangedRules, ComeBackThoughTheTablesAreGoneWithoutAnEvent) {
  ASSERT_TRUE(system.world->flush_ruleset(""));
  ASSERT_FALSE(present());
  for (auto i = 0; i < 40; ++i)
    system.advance(std::chrono::seconds{1});
  EXPECT_TRUE(present());
}

} // namespace

} // namespace troupe::testing
