#include "troupe/netns/unique_fd.hpp"
#include "troupe/tests/system/netns/netlink_fixture.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>

#include <netinet/in.h>
#include <sys/socket.h>

using namespace troupe;
using namespace troupe::netns;

namespace {

class NetlinkLinks : public test::netlink_test {};

link_change with_alias(const std::string& alias) {
  auto change = link_change{};
  change.alias = alias;
  return change;
}

bool has_flags(kernel& kernel, int index, const port_flags& flags) {
  auto link = kernel.link(index);
  return link && link->port && troupe::operator==(*link->port, flags);
}

TEST_F(NetlinkLinks, ANewBridgeIsAsAskedAndDown) {
  auto request = bridge_request{};
  request.name = "br0";
  request.mac = *mac_address::parse("02:42:11:22:33:44");
  request.mtu_bytes = 1400;
  request.group = 77;
  auto index = kernel->add_bridge(request);
  ASSERT_OK(index);
  auto link = kernel->link(*index);
  ASSERT_OK(link);
  EXPECT_EQ(link->index, *index);
  EXPECT_EQ(link->name, "br0");
  EXPECT_EQ(link->kind, "bridge");
  EXPECT_EQ(link->mac, request.mac);
  EXPECT_EQ(link->mtu_bytes, 1400u);
  EXPECT_EQ(link->group, 77u);
  EXPECT_FALSE(link->up);
  EXPECT_EQ(link->master, 0);
  EXPECT_FALSE(link->port);
  EXPECT_EQ(kernel->link_index("br0").value_or(0), *index);
}

TEST_F(NetlinkLinks, ABridgeKeepsItsMtuWhenPortsHaveAnother) {
  auto request = bridge_request{};
  request.name = "br0";
  request.mtu_bytes = 9000;
  auto index = kernel->add_bridge(request);
  ASSERT_OK(index);
  auto ns = kernel->create_namespace("a");
  ASSERT_OK(ns);
  ASSERT_OK(kernel->add_veth(veth("h0", *index, *ns)));
  EXPECT_EQ(kernel->link(*index)->mtu_bytes, 9000u);
}

TEST_F(NetlinkLinks, ABridgeThatFailsLateIsTakenBack) {
  auto request = bridge_request{};
  request.name = "br0";
  request.mtu_bytes = 70000;
  EXPECT_ERRNO(kernel->add_bridge(request), EINVAL);
  EXPECT_ERRNO(kernel->link_index("br0"), ENODEV);
}

TEST_F(NetlinkLinks, ABridgeOfATakenNameIsAConflictAndChangesNothing) {
  make_bridge("br0");
  auto request = bridge_request{};
  request.name = "br0";
  request.mtu_bytes = 1300;
  auto again = kernel->add_bridge(request);
  EXPECT_ERRNO(again, EEXIST);
  EXPECT_EQ(again.error().code, ec::conflict);
  EXPECT_NE(again.error().message.find("br0"), std::string::npos);
  EXPECT_EQ(kernel->link(*kernel->link_index("br0"))->mtu_bytes, 1500u);
}

TEST_F(NetlinkLinks, BadNamesAreEinval) {
  auto ns = kernel->create_namespace("a");
  ASSERT_OK(ns);
  for (auto* name : {"", "sixteen-bytes-xx", "a b", "a/b", ".", "..", "a:b",
                     "veth%d", "a\n"}) {
    SCOPED_TRACE(name);
    auto bridge = bridge_request{};
    bridge.name = name;
    EXPECT_ERRNO(kernel->add_bridge(bridge), EINVAL);
    EXPECT_ERRNO(kernel->add_veth(veth(name, 0, *ns)), EINVAL);
    auto request = veth("h0", 0, *ns);
    request.peer_name = name;
    EXPECT_ERRNO(kernel->add_veth(request), EINVAL);
    EXPECT_ERRNO(kernel->link_index(name), ENODEV);
  }
  EXPECT_EQ(kernel->links()->size(), 1u);
}

TEST_F(NetlinkLinks, AVethIsMadeInPlaceInOneGo) {
  auto bridge = make_bridge();
  auto ns = kernel->create_namespace("a");
  ASSERT_OK(ns);
  auto request = veth("h0", bridge, *ns);
  request.mtu_bytes = 1450;
  request.group = 9;
  auto index = kernel->add_veth(request);
  ASSERT_OK(index);
  auto host = kernel->link(*index);
  ASSERT_OK(host);
  EXPECT_EQ(host->name, "h0");
  EXPECT_EQ(host->kind, "veth");
  EXPECT_EQ(host->master, bridge);
  EXPECT_EQ(host->mtu_bytes, 1450u);
  EXPECT_EQ(host->group, 9u);
  EXPECT_TRUE(host->up);
  EXPECT_TRUE(has_flags(*kernel, *index, {}));
  auto inside = kernel->enter(*ns);
  ASSERT_OK(inside);
  auto peer = (*inside)->link((*inside)->link_index("eth0").value_or(0));
  ASSERT_OK(peer);
  EXPECT_EQ(peer->mac, request.peer_mac);
  EXPECT_EQ(peer->mtu_bytes, 1450u);
  EXPECT_EQ(peer->group, 0u);
  EXPECT_FALSE(peer->up);
}

TEST_F(NetlinkLinks, TheHostEndOfAVethGetsNoIpv6Address) {
  auto bridge = make_bridge();
  auto ns = kernel->create_namespace("a");
  ASSERT_OK(ns);
  auto index = kernel->add_veth(veth("h0", bridge, *ns));
  ASSERT_OK(index);
  auto inside = kernel->enter(*ns);
  ASSERT_OK(inside);
  raise(**inside, (*inside)->link_index("eth0").value_or(0));
  EXPECT_EQ(kernel->read_sysctl(sysctl::ipv6_addr_gen_mode, "h0").value_or(-1),
            1);
}

TEST_F(NetlinkLinks, AVethOfATakenNameIsAConflict) {
  auto ns = kernel->create_namespace("a");
  ASSERT_OK(ns);
  ASSERT_OK(kernel->add_veth(veth("h0", 0, *ns)));
  auto request = veth("h0", 0, *ns);
  request.peer_name = "eth1";
  EXPECT_ERRNO(kernel->add_veth(request), EEXIST);
  EXPECT_ERRNO(kernel->add_veth(veth("h1", 0, *ns)), EEXIST);
  EXPECT_ERRNO(kernel->link_index("h1"), ENODEV);
}

TEST_F(NetlinkLinks, AnUnknownMasterIsEnodevAndNothingIsMade) {
  auto ns = kernel->create_namespace("a");
  ASSERT_OK(ns);
  auto made = kernel->add_veth(veth("h0", 4711, *ns));
  EXPECT_ERRNO(made, ENODEV);
  EXPECT_EQ(made.error().code, ec::not_found);
  EXPECT_ERRNO(kernel->link_index("h0"), ENODEV);
  auto bridge = make_bridge();
  auto change = link_change{};
  change.master = 4711;
  EXPECT_ERRNO(kernel->set_link(bridge, change), ENODEV);
}

TEST_F(NetlinkLinks, AVethNeedsItsNamespace) {
  auto ns = kernel->create_namespace("a");
  ASSERT_OK(ns);
  auto other = *ns;
  other.inode += 1;
  auto made = kernel->add_veth(veth("h0", 0, other));
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, ec::not_found);
  ASSERT_OK(kernel->remove_namespace("a"));
  made = kernel->add_veth(veth("h0", 0, *ns));
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, ec::not_found);
}

TEST_F(NetlinkLinks, ABridgeTakes1023Ports) {
  auto started = std::chrono::steady_clock::now();
  auto bridge = make_bridge();
  auto ns = kernel->create_namespace("a");
  ASSERT_OK(ns);
  for (int i = 0; i < 1023; ++i) {
    auto request = veth("h" + std::to_string(i), bridge, *ns);
    request.peer_name = "eth" + std::to_string(i);
    request.group = 5;
    request.up = false;
    ASSERT_OK(kernel->add_veth(request));
    if (std::chrono::steady_clock::now() - started > std::chrono::seconds{30})
      GTEST_SKIP() << "this machine is too slow: " << i << " ports in 30 s";
  }
  auto request = veth("toomany", bridge, *ns);
  request.peer_name = "last";
  EXPECT_ERRNO(kernel->add_veth(request), EXFULL);
  EXPECT_ERRNO(kernel->link_index("toomany"), ENODEV);
  auto links = kernel->links();
  ASSERT_OK(links);
  EXPECT_EQ(links->size(), 1025u);
  EXPECT_EQ(std::ranges::count(*links, bridge, &link_info::master), 1023);
  EXPECT_OK(kernel->del_group(5));
  EXPECT_EQ(kernel->links()->size(), 2u);
}

TEST_F(NetlinkLinks, ChangesTouchOnlyWhatIsSet) {
  auto index = make_bridge();
  auto before = *kernel->link(index);
  ASSERT_OK(kernel->set_link(index, with_alias("owner:1")));
  auto after = *kernel->link(index);
  EXPECT_EQ(after.alias, "owner:1");
  EXPECT_EQ(after.mac, before.mac);
  EXPECT_TRUE(after.up);
  ASSERT_OK(kernel->set_link(index, {}));
  EXPECT_EQ(kernel->link(index)->alias, "owner:1");
}

TEST_F(NetlinkLinks, EverythingAboutALinkCanBeChanged) {
  auto bridge = make_bridge();
  auto ns = kernel->create_namespace("a");
  ASSERT_OK(ns);
  auto request = veth("h0", 0, *ns);
  request.up = false; // Before Linux 6.2 a running link keeps its name.
  auto index = kernel->add_veth(request);
  ASSERT_OK(index);
  auto change = link_change{};
  change.up = true;
  change.master = bridge;
  change.mtu_bytes = 1400;
  change.mac = *mac_address::parse("02:00:00:00:00:09");
  change.group = 3;
  change.alias = "tag";
  change.name = "other";
  ASSERT_OK(kernel->set_link(*index, change));
  auto link = *kernel->link(*index);
  EXPECT_TRUE(link.up);
  EXPECT_EQ(link.master, bridge);
  EXPECT_EQ(link.mtu_bytes, 1400u);
  EXPECT_EQ(link.mac, *change.mac);
  EXPECT_EQ(link.group, 3u);
  EXPECT_EQ(link.alias, "tag");
  EXPECT_EQ(link.name, "other");
  auto release = link_change{};
  release.master = 0;
  ASSERT_OK(kernel->set_link(*index, release));
  EXPECT_EQ(kernel->link(*index)->master, 0);
}

TEST_F(NetlinkLinks, ChangesAreRefusedWithTheKernelsErrno) {
  make_bridge("br0");
  auto index = make_bridge("br1");
  auto rename = link_change{};
  rename.up = false;
  EXPECT_OK(kernel->set_link(index, rename));
  rename.name = "br0";
  EXPECT_ERRNO(kernel->set_link(index, rename), EEXIST);
  EXPECT_ERRNO(kernel->set_link(4711, with_alias("x")), ENODEV);
  EXPECT_ERRNO(kernel->set_link(0, with_alias("x")), ENODEV);
  EXPECT_ERRNO(kernel->set_link(-1, with_alias("x")), ENODEV);
  EXPECT_OK(kernel->set_link(index, with_alias(std::string(255, 'x'))));
  EXPECT_EQ(kernel->link(index)->alias.size(), 255u);
  EXPECT_ERRNO(kernel->set_link(index, with_alias(std::string(256, 'x'))),
               EINVAL);
  EXPECT_OK(kernel->set_link(index, with_alias("")));
  EXPECT_EQ(kernel->link(index)->alias, "");
}

TEST_F(NetlinkLinks, TheKernelsOwnWordsAreInTheMessage) {
  auto index = make_bridge();
  auto change = link_change{};
  change.mtu_bytes = 1;
  auto done = kernel->set_link(index, change);
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message.find("mtu less than device minimum"),
            std::string::npos)
    << done.error().message;
}

TEST_F(NetlinkLinks, PortFlagsAreOfPortsOnly) {
  auto bridge = make_bridge();
  auto ns = kernel->create_namespace("a");
  ASSERT_OK(ns);
  auto port = kernel->add_veth(veth("h0", bridge, *ns));
  ASSERT_OK(port);
  auto flags = port_flags{true, true, false};
  ASSERT_OK(kernel->set_port_flags(*port, flags));
  EXPECT_TRUE(has_flags(*kernel, *port, flags));
  ASSERT_OK(kernel->set_port_flags(*port, {}));
  EXPECT_TRUE(has_flags(*kernel, *port, {}));
  EXPECT_ERRNO(kernel->set_port_flags(bridge, flags), EOPNOTSUPP);
  EXPECT_ERRNO(kernel->set_port_flags(4711, flags), ENODEV);
  EXPECT_ERRNO(kernel->set_port_flags(0, flags), ENODEV);
}

TEST_F(NetlinkLinks, ADeletedLinkIsGone) {
  auto index = make_bridge();
  ASSERT_OK(kernel->del_link(index));
  EXPECT_ERRNO(kernel->link(index), ENODEV);
  EXPECT_ERRNO(kernel->statistics(index), ENODEV);
  EXPECT_ERRNO(kernel->addresses(index), ENODEV);
  EXPECT_ERRNO(kernel->link_index("br0"), ENODEV);
  EXPECT_ERRNO(kernel->del_link(index), ENODEV);
  EXPECT_ERRNO(kernel->del_link(0), ENODEV);
}

TEST_F(NetlinkLinks, AGroupIsDeletedTogether) {
  for (auto* name : {"br0", "br1", "br2"}) {
    auto request = bridge_request{};
    request.name = name;
    request.group = name == std::string{"br2"} ? 2 : 1;
    ASSERT_OK(kernel->add_bridge(request));
  }
  ASSERT_OK(kernel->del_group(1));
  EXPECT_ERRNO(kernel->link_index("br0"), ENODEV);
  EXPECT_ERRNO(kernel->link_index("br1"), ENODEV);
  EXPECT_OK(kernel->link_index("br2"));
  EXPECT_ERRNO(kernel->del_group(1), ENODEV);
  // Group 0 holds everything that was never put into a group.
  EXPECT_FALSE(kernel->del_group(0));
  EXPECT_OK(kernel->link_index("br2"));
}

TEST_F(NetlinkLinks, CountersCount) {
  auto loopback = kernel->link_index("lo").value_or(0);
  auto counters = kernel->statistics(loopback);
  ASSERT_OK(counters);
  EXPECT_EQ(counters->rx_packets, 0u);
  raise(*kernel, loopback);
  auto socket = unique_fd{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  auto target = sockaddr_in{};
  target.sin_family = AF_INET;
  target.sin_port = htons(9);
  target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(sendto(socket.get(), "x", 1, 0,
                   reinterpret_cast<sockaddr*>(&target), sizeof target),
            1);
  counters = kernel->statistics(loopback);
  ASSERT_OK(counters);
  EXPECT_GE(counters->tx_packets, 1u);
  EXPECT_GE(counters->rx_bytes, 29u);
}

} // namespace
