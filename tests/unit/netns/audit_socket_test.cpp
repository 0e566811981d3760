#include "troupe/netns/audit/socket.hpp"

#include <gtest/gtest.h>

#include <linux/rtnetlink.h>

namespace troupe::test {

namespace {

using namespace netns;

TEST(AuditSocket, WhatIsMissingIsZero) {
  // An attribute that is not there has no memory at all: a sanitizer minds.
  EXPECT_EQ(beginning_of<tcmsg>({}).tcm_ifindex, 0);
  EXPECT_EQ(audit_message{{}}.head<tcmsg>().tcm_ifindex, 0);
  EXPECT_EQ(beginning_of<uint32_t>({"\1", 1}), 1U);
  EXPECT_EQ(beginning_of<uint16_t>({"\1\0\7", 3}), 1U);
}

} // namespace

} // namespace troupe::test
