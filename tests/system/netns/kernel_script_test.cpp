#include "troupe/netns/real/kernel.hpp"
#include "troupe/netns/simulated/kernel.hpp"
#include "troupe/tests/fixtures/kernel_release.hpp"
#include "troupe/tests/fixtures/scratch.hpp"
#include "troupe/tests/unit/netns/kernel_contract.hpp"
#include "troupe/tests/unit/netns/kernel_script.hpp"

#include <cstdlib>

namespace troupe::test {

namespace {

constexpr int steps_of_a_script = 150;

/// Runs random scripts on the real and on the simulated kernel side by side.
class KernelScript : public scratch_test,
                     public ::testing::WithParamInterface<unsigned> {};

} // namespace

// TEST_SEED=N runs one more script of another seed.
TEST_P(KernelScript, DoesTheSameOnBothKernels) {
  auto seed = GetParam();
  if (const auto* wanted = std::getenv("TEST_SEED"); wanted != nullptr)
    seed = static_cast<unsigned>(std::strtoul(wanted, nullptr, 10));
  SCOPED_TRACE("TEST_SEED=" + std::to_string(seed));
  auto opened = netns::open_netlink_kernel(pin_dir());
  ASSERT_TRUE(works(opened));
  auto real = script_runner{std::move(*opened)};
  auto world = std::make_shared<netns::simulated_world>();
  if (!kernel_is_at_least(6, 2))
    world->set_release(6, 1);
  auto simulated = script_runner{netns::open_simulated_kernel(world)};
  auto random = std::mt19937{seed};
  auto done = 0;
  // The host of the real one is a fresh namespace, whose loopback is down.
  ASSERT_EQ(real.run({4, 0, {5, 1, 0, 0}}), 0);
  for (int i = 0; i < steps_of_a_script; ++i) {
    auto step = random_step(random);
    SCOPED_TRACE("step " + std::to_string(i) + ": "
                 + script_runner::describe(step));
    auto expected = real.run(step);
    ASSERT_EQ(simulated.run(step), expected) << std::strerror(expected);
    ASSERT_EQ(simulated.dump(), real.dump());
    done += expected == 0 ? 1 : 0;
  }
  // Errors alone would prove little.
  EXPECT_GT(done, steps_of_a_script / 20);
}

INSTANTIATE_TEST_SUITE_P(Seeds, KernelScript, ::testing::Range(1U, 16U));

} // namespace troupe::test
