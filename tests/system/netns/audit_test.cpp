#include "troupe/netns/audit/audit.hpp"
#include "troupe/tests/system/netns/netlink_fixture.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include <sys/mount.h>

using namespace troupe;
using namespace troupe::netns;

namespace {

class Audit : public test::netlink_test {
protected:
  static const audit_link*
  find(const std::vector<audit_link>& links, const std::string& name) {
    auto found = std::ranges::find(links, name, &audit_link::name);
    return found == links.end() ? nullptr : &*found;
  }
};

TEST_F(Audit, AnEmptyHostHasALoopbackAndNoPins) {
  auto view = read_audit(pin_dir());
  ASSERT_OK(view);
  ASSERT_EQ(view->links.size(), 1u);
  EXPECT_EQ(view->links.front().name, "lo");
  EXPECT_FALSE(view->links.front().up);
  EXPECT_TRUE(view->pins.empty());
  EXPECT_TRUE(read_audit(run_dir() + "/missing"));
}

TEST_F(Audit, SeesTheHostsLinks) {
  auto request = bridge_request{};
  request.name = "br0";
  request.mac = *mac_address::parse("02:42:11:22:33:44");
  request.mtu_bytes = 1400;
  request.group = 77;
  auto bridge = kernel->add_bridge(request);
  ASSERT_OK(bridge);
  auto change = link_change{};
  change.up = true;
  change.alias = "owner:1";
  ASSERT_OK(kernel->set_link(*bridge, change));
  auto v4 = *interface_address::parse("10.1.0.1/16");
  auto v6 = *interface_address::parse("fd00:1::1/64");
  ASSERT_OK(kernel->add_address(*bridge, v4));
  ASSERT_OK(kernel->add_address(*bridge, v6));
  auto ns = kernel->create_namespace("a");
  ASSERT_OK(ns);
  auto port = kernel->add_veth(veth("h0", *bridge, *ns));
  ASSERT_OK(port);
  auto flags = port_flags{};
  flags.isolated = true;
  ASSERT_OK(kernel->set_port_flags(*port, flags));
  auto view = read_audit(pin_dir());
  ASSERT_OK(view);
  auto* link = find(view->links, "br0");
  ASSERT_NE(link, nullptr);
  EXPECT_EQ(link->index, *bridge);
  EXPECT_EQ(link->kind, "bridge");
  EXPECT_EQ(link->mac, request.mac);
  EXPECT_EQ(link->mtu_bytes, 1400u);
  EXPECT_EQ(link->group, 77u);
  EXPECT_EQ(link->alias, "owner:1");
  EXPECT_TRUE(link->up);
  EXPECT_EQ(link->addresses, (std::vector{v4, v6}));
  auto* member = find(view->links, "h0");
  ASSERT_NE(member, nullptr);
  EXPECT_EQ(member->kind, "veth");
  EXPECT_EQ(member->bridge, "br0");
  EXPECT_TRUE(member->port && member->port->isolated);
  EXPECT_TRUE(member->addresses.empty());
}

TEST_F(Audit, SeesInsideThePins) {
  auto bridge = make_bridge();
  auto ns = kernel->create_namespace("b");
  ASSERT_OK(ns);
  ASSERT_OK(kernel->add_veth(veth("h0", bridge, *ns)));
  auto inside = kernel->enter(*ns);
  ASSERT_OK(inside);
  auto eth0 = (*inside)->link_index("eth0").value_or(0);
  ASSERT_OK((*inside)->set_sysctl(sysctl::ipv6_disable, "eth0", 0));
  raise(**inside, eth0);
  auto v4 = *interface_address::parse("10.1.0.5/16");
  auto v6 = *interface_address::parse("fd00:1::5/64");
  ASSERT_OK((*inside)->add_address(eth0, v4));
  ASSERT_OK((*inside)->add_address(eth0, v6));
  auto route = route_info{};
  route.index = eth0;
  route.protocol = made_by_troupe; // Those of others are not told.
  route.gateway = ip_address::parse("10.1.0.1").value();
  ASSERT_OK((*inside)->add_route(route));
  route.family = ip_family::v6;
  route.gateway = ip_address::parse("fd00:1::1").value();
  ASSERT_OK((*inside)->add_route(route));
  ASSERT_OK(kernel->create_namespace("a"));
  auto view = read_audit(pin_dir());
  ASSERT_OK(view);
  ASSERT_EQ(view->pins.size(), 2u);
  EXPECT_EQ(view->pins[0].name, "a");
  EXPECT_EQ(view->pins[0].links.size(), 1u);
  EXPECT_FALSE(view->pins[0].gateway);
  EXPECT_EQ(view->pins[1].name, "b");
  EXPECT_EQ(view->pins[1].inode, ns->inode);
  EXPECT_EQ(view->pins[1].gateway, ip_address::parse("10.1.0.1").value());
  EXPECT_EQ(view->pins[1].gateway_v6, ip_address::parse("fd00:1::1").value());
  auto* link = find(view->pins[1].links, "eth0");
  ASSERT_NE(link, nullptr);
  EXPECT_TRUE(link->up);
  EXPECT_EQ(link->mac, *mac_address::parse("02:42:0a:01:00:05"));
  EXPECT_EQ(link->mtu_bytes, 1500u);
  EXPECT_EQ(link->addresses, (std::vector{v4, v6}));
}

TEST_F(Audit, ADeadPinHasNoInode) {
  auto ns = kernel->create_namespace("a");
  ASSERT_OK(ns);
  ASSERT_EQ(::umount2(ns->path.c_str(), MNT_DETACH), 0);
  std::filesystem::create_directory(pin_dir() + "/directory");
  auto view = read_audit(pin_dir());
  ASSERT_OK(view);
  ASSERT_EQ(view->pins.size(), 1u);
  EXPECT_EQ(view->pins[0].inode, 0u);
  EXPECT_TRUE(view->pins[0].links.empty());
}

TEST_F(Audit, AgreesWithTheKernelObjectOnManyLinks) {
  auto ns = kernel->create_namespace("a");
  ASSERT_OK(ns);
  auto bridge = make_bridge();
  for (int i = 0; i < 200; ++i) {
    auto request = veth("h" + std::to_string(i), bridge, *ns);
    request.peer_name = "eth" + std::to_string(i);
    request.group = static_cast<uint32_t>(i);
    ASSERT_OK(kernel->add_veth(request));
  }
  auto view = read_audit(pin_dir());
  ASSERT_OK(view);
  auto links = kernel->links();
  ASSERT_OK(links);
  ASSERT_EQ(view->links.size(), links->size());
  for (size_t i = 0; i < links->size(); ++i) {
    EXPECT_EQ(view->links[i].name, (*links)[i].name);
    EXPECT_EQ(view->links[i].index, (*links)[i].index);
    EXPECT_EQ(view->links[i].group, (*links)[i].group);
    EXPECT_EQ(view->links[i].mac, (*links)[i].mac);
  }
  EXPECT_EQ(view->pins.at(0).links.size(), 201u);
}

} // namespace
