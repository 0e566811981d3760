#include <gtest/gtest.h>

#include "text.hpp"

namespace troupe::ipam {
namespace {

TEST(NullIpam, LeasesNothingUnderOneName) {
  auto driver = make_null();
  EXPECT_EQ(driver->name(), "null");
  auto lease = driver->request_pool({});
  ASSERT_TRUE(lease);
  EXPECT_EQ(lease->id, "null/0.0.0.0/0");
  EXPECT_EQ(lease->subnet, prefix{});
  EXPECT_TRUE(driver->request_pool({}));
  EXPECT_TRUE(driver->release_pool(lease->id));
}

TEST(NullIpam, RefusesEveryWish) {
  auto driver = make_null();
  auto subnet = pool_request{};
  subnet.subnet = test::net("10.0.0.0/8");
  auto range = pool_request{};
  range.range = test::net("10.0.0.0/8");
  auto ipv6 = pool_request{};
  ipv6.ipv6 = true;
  for (const auto& request : {subnet, range, ipv6}) {
    auto lease = driver->request_pool(request);
    ASSERT_FALSE(lease);
    EXPECT_EQ(lease.error().code, ec::invalid_argument);
  }
  EXPECT_EQ(driver->release_pool("LocalDefault/10.0.0.0/8").error().code,
            ec::not_found);
}

TEST(NullIpam, HasNoAddresses) {
  auto driver = make_null();
  auto pool = driver->open(*driver->request_pool({}));
  EXPECT_EQ(pool->claim(test::ip("10.0.0.1")).error().code,
            ec::invalid_argument);
  EXPECT_EQ(pool->claim_any().error().code, ec::unavailable);
  pool->release(test::ip("10.0.0.1"));
  EXPECT_FALSE(pool->is_held(test::ip("10.0.0.1")));
  EXPECT_EQ(pool->held(), 0U);
  EXPECT_EQ(pool->available(), 0U);
}

} // namespace
} // namespace troupe::ipam
