#include "troupe/netns/real/sysctl.hpp"
#include "troupe/tests/system/netns/netlink_fixture.hpp"

#include <gtest/gtest.h>

using namespace troupe;
using namespace troupe::netns;

namespace {

class Sysctls : public test::netlink_test {};

constexpr sysctl all_keys[]
  = {sysctl::ipv6_disable,          sysctl::ipv6_accept_ra,
     sysctl::ipv6_accept_redirects, sysctl::ipv6_autoconf,
     sysctl::ipv6_addr_gen_mode,    sysctl::ipv6_accept_dad,
     sysctl::ipv6_forwarding,       sysctl::ipv4_forwarding,
     sysctl::ipv4_accept_redirects};

TEST_F(Sysctls, EveryKeyCanBeReadAndSet) {
  make_bridge("br0");
  for (auto key : all_keys) {
    SCOPED_TRACE(*sysctl_name(key, "br0"));
    auto before = kernel->read_sysctl(key, "br0");
    ASSERT_OK(before);
    auto wanted = *before == 0 ? 1 : 0;
    EXPECT_OK(kernel->set_sysctl(key, "br0", wanted));
    EXPECT_EQ(kernel->read_sysctl(key, "br0").value_or(-1), wanted);
    EXPECT_OK(kernel->set_sysctl(key, "br0", *before));
    EXPECT_EQ(kernel->read_sysctl(key, "br0").value_or(-1), *before);
  }
}

TEST_F(Sysctls, DefaultsAndAllAreInterfacesToo) {
  EXPECT_OK(kernel->set_sysctl(sysctl::ipv6_disable, "default", 1));
  make_bridge("br0");
  EXPECT_EQ(kernel->read_sysctl(sysctl::ipv6_disable, "br0").value_or(-1), 1);
  EXPECT_OK(kernel->read_sysctl(sysctl::ipv4_forwarding, "all"));
}

TEST_F(Sysctls, AnUnknownInterfaceIsEnoent) {
  EXPECT_ERRNO(kernel->set_sysctl(sysctl::ipv6_disable, "nope", 1), ENOENT);
  auto value = kernel->read_sysctl(sysctl::ipv6_disable, "nope");
  EXPECT_ERRNO(value, ENOENT);
  EXPECT_EQ(value.error().code, ec::not_found);
}

TEST_F(Sysctls, NamesCannotLeaveTheDirectory) {
  for (auto* name : {"", ".", "..", "../all", "all/../default", "a b"}) {
    SCOPED_TRACE(name);
    EXPECT_ERRNO(kernel->set_sysctl(sysctl::ipv6_disable, name, 1), EINVAL);
    EXPECT_ERRNO(kernel->read_sysctl(sysctl::ipv6_disable, name), EINVAL);
  }
}

TEST_F(Sysctls, AValueTheKernelRefusesIsAnError) {
  make_bridge("br0");
  EXPECT_ERRNO(kernel->set_sysctl(sysctl::ipv6_addr_gen_mode, "br0", 99),
               EINVAL);
}

TEST_F(Sysctls, AReadOnlyProcWithTheRightValueIsFine) {
  make_bridge("br0");
  ASSERT_OK(kernel->set_sysctl(sysctl::ipv6_disable, "br0", 1));
  ASSERT_EQ(::mount("/proc/sys", "/proc/sys", nullptr, MS_BIND, nullptr), 0);
  ASSERT_EQ(::mount(nullptr, "/proc/sys", nullptr,
                    MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr),
            0);
  EXPECT_OK(kernel->set_sysctl(sysctl::ipv6_disable, "br0", 1));
  EXPECT_ERRNO(kernel->set_sysctl(sysctl::ipv6_disable, "br0", 0), EROFS);
  ASSERT_EQ(::umount2("/proc/sys", MNT_DETACH), 0);
}

} // namespace
