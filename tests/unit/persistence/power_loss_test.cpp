#include "troupe/tests/unit/persistence/power_loss.hpp"

#include "fixture.hpp"
#include <iostream>

namespace troupe::persistence {

namespace {

/// Ten times as many with TEST_FACTOR=10.
size_t wanted_images() {
  return 2'000 * test_factor();
}

constexpr size_t enough = 5;

} // namespace

TEST(PowerLoss, LosesNothingAcknowledgedInAnyImage) {
  auto it = power_loss{};
  ASSERT_EQ(it.record(true), "");
  it.look(wanted_images(), enough);
  for (const auto& wrong : it.lost())
    ADD_FAILURE() << wrong;
  std::cout << "fault count: crash images of the store: " << it.images()
            << "\n";
  EXPECT_GE(it.images(), wanted_images());
}

TEST(PowerLoss, IsNoticedWhenTheStoreDoesNotSync) {
  auto it = power_loss{};
  ASSERT_EQ(it.record(false), "");
  it.look(500, enough);
  EXPECT_EQ(it.lost().size(), enough);
}

} // namespace troupe::persistence
