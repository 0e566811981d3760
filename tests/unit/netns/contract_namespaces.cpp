#include "troupe/tests/unit/netns/kernel_contract.hpp"

#include <cerrno>

namespace troupe::test {

using netns::namespace_ref;
using netns::sysctl;

namespace {

const std::string bad_pin_names[]
  = {"", ".", "..", "a/b", "a b", "a\nb", std::string(256, 'x')};

} // namespace

TEST_P(KernelContract, MakesNamespaceWithItsLoopbackUpAndIpv6Off) {
  auto made = host().create_namespace("a");
  ASSERT_TRUE(works(made));
  EXPECT_TRUE(made->path.ends_with("/a"));
  EXPECT_NE(made->inode, 0U);
  auto there = host().enter(*made);
  ASSERT_TRUE(works(there));
  auto links = (*there)->links();
  ASSERT_TRUE(works(links));
  ASSERT_EQ(links->size(), 1U);
  EXPECT_EQ(links->front().name, "lo");
  EXPECT_EQ(links->front().index, 1);
  EXPECT_EQ(links->front().kind, "");
  EXPECT_EQ(links->front().mtu_bytes, 65536U);
  EXPECT_TRUE(links->front().up);
  EXPECT_EQ((*there)->addresses(1).value(), std::vector{cidr("127.0.0.1/8")});
  for (auto entry : {"all", "default", "lo"})
    EXPECT_EQ((*there)->read_sysctl(sysctl::ipv6_disable, entry).value(), 1);
  for (auto key : {sysctl::ipv6_accept_ra, sysctl::ipv6_accept_redirects,
                   sysctl::ipv4_accept_redirects})
    EXPECT_EQ((*there)->read_sysctl(key, "default").value(), 0);
  for (auto entry : {"all", "lo"})
    EXPECT_EQ(
      (*there)->read_sysctl(sysctl::ipv4_accept_redirects, entry).value(), 0);
  EXPECT_TRUE((*there)->routes().value().empty());
  EXPECT_TRUE((*there)->routed_subnets().value().empty());
}

TEST_P(KernelContract, RefusesToMakeANamespaceTwice) {
  ASSERT_TRUE(works(host().create_namespace("a")));
  auto again = host().create_namespace("a");
  EXPECT_TRUE(fails_with(EEXIST, again));
  EXPECT_TRUE(fails_with(ec::conflict, again));
  EXPECT_EQ(host().namespaces().value().size(), 1U);
}

TEST_P(KernelContract, RefusesBadPinNames) {
  auto path = machine_->make_external_namespace();
  for (const auto& name : bad_pin_names) {
    SCOPED_TRACE(name);
    EXPECT_TRUE(
      fails_with(ec::invalid_argument, host().create_namespace(name)));
    EXPECT_TRUE(
      fails_with(ec::invalid_argument, host().adopt_namespace(name, path)));
    EXPECT_TRUE(
      fails_with(ec::invalid_argument, host().remove_namespace(name)));
  }
  EXPECT_TRUE(host().namespaces().value().empty());
}

TEST_P(KernelContract, ListsPinsByName) {
  auto b = host().create_namespace("b").value();
  auto a = host().create_namespace("a").value();
  auto pins = host().namespaces();
  ASSERT_TRUE(works(pins));
  ASSERT_EQ(pins->size(), 2U);
  EXPECT_EQ((*pins)[0].first, "a");
  EXPECT_TRUE((*pins)[0].second == a);
  EXPECT_EQ((*pins)[1].first, "b");
  EXPECT_TRUE((*pins)[1].second == b);
  EXPECT_NE(a.inode, b.inode);
}

TEST_P(KernelContract, RemovesAPinOnce) {
  auto ref = host().create_namespace("a").value();
  EXPECT_TRUE(works(host().remove_namespace("a")));
  EXPECT_TRUE(host().namespaces().value().empty());
  auto again = host().remove_namespace("a");
  EXPECT_TRUE(fails_with(ENOENT, again));
  EXPECT_TRUE(fails_with(ec::not_found, again));
  EXPECT_TRUE(fails_with(ec::not_found, host().enter(ref)));
}

TEST_P(KernelContract, AdoptsANamespaceOfOthers) {
  auto path = machine_->make_external_namespace();
  auto adopted = host().adopt_namespace("ours", path);
  ASSERT_TRUE(works(adopted));
  EXPECT_TRUE(adopted->path.ends_with("/ours"));
  // It is left as its owner made it.
  auto there = host().enter(*adopted);
  ASSERT_TRUE(works(there));
  EXPECT_FALSE((*there)->link(1).value().up);
  EXPECT_EQ((*there)->read_sysctl(sysctl::ipv6_disable, "all").value(), 0);
  EXPECT_TRUE(works(host().enter({path, adopted->inode})));
  EXPECT_TRUE(fails_with(EEXIST, host().adopt_namespace("ours", path)));
  ASSERT_TRUE(works(host().remove_namespace("ours")));
  EXPECT_TRUE(works(host().enter({path, adopted->inode})));
}

TEST_P(KernelContract, AdoptsNeitherTheHostNorOtherFiles) {
  EXPECT_TRUE(fails_with(ec::forbidden,
                         host().adopt_namespace("a", machine_->host_path())));
  EXPECT_TRUE(
    fails_with(ec::invalid_argument,
               host().adopt_namespace("a", machine_->make_plain_file())));
  auto missing = host().adopt_namespace("a", "/nowhere/at/all");
  EXPECT_TRUE(fails_with(ENOENT, missing));
  EXPECT_TRUE(fails_with(ec::not_found, missing));
  EXPECT_TRUE(host().namespaces().value().empty());
}

TEST_P(KernelContract, EntersOnlyWhatTheInodeSays) {
  auto old = host().create_namespace("a").value();
  EXPECT_TRUE(fails_with(ec::not_found, host().enter({old.path, 0})));
  EXPECT_TRUE(
    fails_with(ec::not_found, host().enter({old.path, old.inode + 1})));
  EXPECT_TRUE(fails_with(ec::not_found, host().enter({"", old.inode})));
  EXPECT_TRUE(fails_with(
    ec::not_found, host().enter({machine_->make_plain_file(), old.inode})));
  // Held, so that the kernel cannot give its number to the next one.
  auto held = host().enter(old);
  ASSERT_TRUE(works(host().remove_namespace("a")));
  ASSERT_TRUE(works(host().create_namespace("a")));
  EXPECT_TRUE(fails_with(ec::not_found, host().enter(old)));
}

TEST_P(KernelContract, ShowsAnUnmountedPinWithInodeZero) {
  auto ref = host().create_namespace("a").value();
  machine_->unmount_pin(ref.path);
  auto pins = host().namespaces().value();
  ASSERT_EQ(pins.size(), 1U);
  EXPECT_TRUE(pins[0].second == (namespace_ref{ref.path, 0}));
  EXPECT_TRUE(fails_with(ec::not_found, host().enter(ref)));
  EXPECT_TRUE(fails_with(ec::not_found, host().enter({ref.path, 0})));
  EXPECT_TRUE(fails_with(EEXIST, host().create_namespace("a")));
  EXPECT_TRUE(works(host().remove_namespace("a")));
  EXPECT_TRUE(host().namespaces().value().empty());
  EXPECT_TRUE(works(host().create_namespace("a")));
}

TEST_P(KernelContract, ADeadNamespaceTakesItsLinksAlong) {
  auto there = make_namespace("a");
  make_veth("v0", there);
  there.kernel.reset();
  ASSERT_TRUE(works(host().remove_namespace("a")));
  EXPECT_TRUE(machine_->eventually([&] {
    return !host().link_index("v0");
  }));
}

TEST_P(KernelContract, AnOpenKernelObjectKeepsANamespaceAlive) {
  auto there = make_namespace("a");
  make_veth("v0", there);
  ASSERT_TRUE(works(host().remove_namespace("a")));
  EXPECT_TRUE(works(host().link_index("v0")));
  EXPECT_EQ(look(*there.kernel, "eth0").name, "eth0");
  there.kernel.reset();
  EXPECT_TRUE(machine_->eventually([&] {
    return !host().link_index("v0");
  }));
}

TEST_P(KernelContract, ObjectsOfTwoNamespacesSeeTheirOwnLinksOnly) {
  auto a = make_namespace("a");
  auto b = make_namespace("b");
  make_veth("va", a, "same");
  make_veth("vb", b, "same");
  EXPECT_EQ(count_links(*a.kernel), 2U);
  EXPECT_EQ(count_links(*b.kernel), 2U);
  EXPECT_EQ(count_links(host()), 3U);
  EXPECT_TRUE(fails_with(ENODEV, a.kernel->link_index("vb")));
}

} // namespace troupe::test
