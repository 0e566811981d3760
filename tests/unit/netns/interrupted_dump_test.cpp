#include "troupe/tests/unit/netns/interrupted_dump.hpp"

#include <gtest/gtest.h>

namespace troupe::netns {

TEST(NetlinkSocket, ReadsAListAgainThatAChangeInterrupted) {
  EXPECT_EQ(check_interrupted_dump(), "");
}

} // namespace troupe::netns
