#include "troupe/persistence/origin.hpp"

#include <gtest/gtest.h>

namespace troupe::persistence {

namespace {

found_file found(const std::string& boot_id, uint64_t generation) {
  auto result = found_file{};
  result.is_new = false;
  result.found.state.boot_id = boot_id;
  result.found.state.generation = generation;
  return result;
}

} // namespace

TEST(Origin, OfTwoNewFilesIsAFirstStart) {
  auto start = compare({}, {}, "now");
  EXPECT_TRUE(start.durable_is_new && start.runtime_is_new);
  EXPECT_FALSE(start.rebooted || start.suspicious);
  EXPECT_EQ(start.generation, 1u);
}

TEST(Origin, OfTheSameBootIsARestart) {
  auto start = compare(found("now", 4), found("now", 4), "now");
  EXPECT_FALSE(start.rebooted || start.suspicious || start.runtime_is_new);
  EXPECT_EQ(start.generation, 5u);
}

TEST(Origin, AcceptsAStartKilledBetweenTheTwoFiles) {
  auto start = compare(found("now", 5), found("now", 4), "now");
  EXPECT_FALSE(start.suspicious);
  EXPECT_EQ(start.generation, 6u);
}

TEST(Origin, AcceptsAStartAfterARebootKilledBetweenTheTwoFiles) {
  auto start = compare(found("now", 5), found("before", 4), "now");
  EXPECT_TRUE(start.rebooted);
  EXPECT_FALSE(start.suspicious);
}

TEST(Origin, OfAnotherBootIsAReboot) {
  EXPECT_TRUE(compare(found("old", 4), found("old", 4), "now").rebooted);
  EXPECT_TRUE(compare(found("old", 4), {}, "now").rebooted);
  EXPECT_TRUE(compare({}, found("old", 4), "now").rebooted);
  EXPECT_FALSE(compare(found("now", 4), {}, "now").rebooted);
}

TEST(Origin, SuspectsAnOlderDurableFileInTheSameBootOnly) {
  EXPECT_TRUE(compare(found("now", 3), found("now", 4), "now").suspicious);
  EXPECT_TRUE(compare(found("old", 3), found("now", 4), "now").suspicious);
  EXPECT_TRUE(compare({}, found("now", 4), "now").suspicious);
  EXPECT_FALSE(compare(found("old", 3), found("old", 4), "now").suspicious);
}

TEST(Origin, ListsWhatWasSetAside) {
  auto durable = found_file{};
  durable.set_aside = "a.damaged-1";
  auto start = compare(durable, found("now", 4), "now");
  EXPECT_EQ(start.quarantined, std::vector<std::string>{"a.damaged-1"});
}

} // namespace troupe::persistence
