#include "troupe/netns/real/probe.hpp"
#include "troupe/tests/fixtures/kernel_release.hpp"
#include "troupe/tests/system/netns/netlink_fixture.hpp"

namespace troupe::test {

namespace {

class Probe : public netlink_test {};

TEST_F(Probe, FindsNothingMissingWhereEverythingWorks) {
  auto links = kernel->links().value().size();
  auto found = netns::probe_kernel();
  ASSERT_OK(found);
  EXPECT_EQ(found->missing, std::vector<std::string>{});
  // Named on kernels that do it another way, Debian 12's among them.
  EXPECT_EQ(found->slower.empty(), kernel_is_at_least(6, 11));
  EXPECT_EQ(kernel->links().value().size(), links);
}

} // namespace

} // namespace troupe::test
