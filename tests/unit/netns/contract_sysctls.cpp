#include "troupe/tests/unit/netns/kernel_contract.hpp"

#include <cerrno>

namespace troupe::test {

using netns::sysctl;

namespace {

constexpr sysctl all_keys[]
  = {sysctl::ipv6_disable,          sysctl::ipv6_accept_ra,
     sysctl::ipv6_accept_redirects, sysctl::ipv6_autoconf,
     sysctl::ipv6_addr_gen_mode,    sysctl::ipv6_accept_dad,
     sysctl::ipv6_forwarding,       sysctl::ipv4_forwarding,
     sysctl::ipv4_accept_redirects};

} // namespace

TEST_P(KernelContract, ReadsBackEverySysctl) {
  make_bridge("br0");
  for (auto key : all_keys) {
    SCOPED_TRACE(static_cast<int>(key));
    for (auto value : {0, 1, 1}) {
      EXPECT_TRUE(works(host().set_sysctl(key, "br0", value)));
      EXPECT_EQ(host().read_sysctl(key, "br0").value(), value);
    }
  }
}

TEST_P(KernelContract, SysctlsNeedAnInterface) {
  for (auto key : all_keys) {
    auto missing = host().read_sysctl(key, "none");
    EXPECT_TRUE(fails_with(ENOENT, missing));
    EXPECT_TRUE(fails_with(ec::not_found, missing));
    EXPECT_TRUE(fails_with(ENOENT, host().set_sysctl(key, "none", 0)));
    for (auto name : {"", "..", "../all", "a b", "sixteen-bytes-xx"}) {
      EXPECT_TRUE(fails_with(EINVAL, host().read_sysctl(key, name)));
      EXPECT_TRUE(fails_with(EINVAL, host().set_sysctl(key, name, 0)));
    }
  }
}

TEST_P(KernelContract, RefusesUnknownAddressGenerationModes) {
  make_bridge("br0");
  auto key = sysctl::ipv6_addr_gen_mode;
  for (auto value : {-1, 2, 4})
    EXPECT_TRUE(fails_with(EINVAL, host().set_sysctl(key, "br0", value)));
  EXPECT_EQ(host().read_sysctl(key, "br0").value(), 0);
}

TEST_P(KernelContract, AllSpreadsForSomeSysctls) {
  make_bridge("br0");
  for (auto key : {sysctl::ipv6_disable, sysctl::ipv6_forwarding,
                   sysctl::ipv6_addr_gen_mode, sysctl::ipv4_forwarding}) {
    SCOPED_TRACE(static_cast<int>(key));
    for (auto value : {1, 0}) {
      ASSERT_TRUE(works(host().set_sysctl(key, "all", value)));
      for (auto entry : {"all", "default", "br0", "lo"})
        EXPECT_EQ(host().read_sysctl(key, entry).value(), value);
    }
  }
  for (auto key : {sysctl::ipv6_accept_ra, sysctl::ipv6_accept_redirects,
                   sysctl::ipv6_autoconf, sysctl::ipv6_accept_dad}) {
    SCOPED_TRACE(static_cast<int>(key));
    ASSERT_TRUE(works(host().set_sysctl(key, "br0", 1)));
    ASSERT_TRUE(works(host().set_sysctl(key, "all", 0)));
    EXPECT_EQ(host().read_sysctl(key, "br0").value(), 1);
  }
}

TEST_P(KernelContract, NewLinksFollowDefault) {
  for (auto key : all_keys) {
    SCOPED_TRACE(static_cast<int>(key));
    for (auto value : {1, 0}) {
      ASSERT_TRUE(works(host().set_sysctl(key, "default", value)));
      auto bridge = make_bridge("br0");
      EXPECT_EQ(host().read_sysctl(key, "br0").value(), value);
      ASSERT_TRUE(works(host().del_link(bridge)));
    }
  }
}

TEST_P(KernelContract, DefaultChangesOldLinksForIpv4Only) {
  make_bridge("br0");
  auto written = make_bridge("br1", "02:00:00:00:00:02");
  auto key = sysctl::ipv4_accept_redirects;
  auto before = host().read_sysctl(key, "br0").value();
  ASSERT_TRUE(works(host().add_address(written, cidr("10.0.0.1/24"))));
  ASSERT_TRUE(works(host().set_sysctl(key, "default", 1 - before)));
  EXPECT_EQ(host().read_sysctl(key, "br0").value(), 1 - before);
  EXPECT_EQ(host().read_sysctl(key, "br1").value(), before);
  for (auto other : {sysctl::ipv6_disable, sysctl::ipv6_forwarding,
                     sysctl::ipv6_accept_ra, sysctl::ipv4_forwarding}) {
    SCOPED_TRACE(static_cast<int>(other));
    auto old = host().read_sysctl(other, "br0").value();
    ASSERT_TRUE(works(host().set_sysctl(other, "default", 1 - old)));
    EXPECT_EQ(host().read_sysctl(other, "br0").value(), old);
  }
}

TEST_P(KernelContract, ARouterDoesNotBelieveRedirects) {
  auto key = sysctl::ipv4_accept_redirects;
  ASSERT_TRUE(works(host().set_sysctl(sysctl::ipv4_forwarding, "all", 1)));
  EXPECT_EQ(host().read_sysctl(key, "all").value(), 0);
  ASSERT_TRUE(works(host().set_sysctl(sysctl::ipv4_forwarding, "all", 0)));
  EXPECT_EQ(host().read_sysctl(key, "all").value(), 1);
}

TEST_P(KernelContract, EachNamespaceHasItsOwnSysctls) {
  auto there = make_namespace("a");
  ASSERT_TRUE(
    works(there.kernel->set_sysctl(sysctl::ipv4_forwarding, "all", 1)));
  auto key = sysctl::ipv4_forwarding;
  EXPECT_EQ(there.kernel->read_sysctl(key, "all").value(), 1);
  auto other = make_namespace("b");
  EXPECT_EQ(other.kernel->read_sysctl(key, "all").value(),
            host().read_sysctl(key, "all").value());
}

} // namespace troupe::test
