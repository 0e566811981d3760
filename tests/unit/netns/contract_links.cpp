#include "troupe/tests/unit/netns/kernel_contract.hpp"

#include <cerrno>

namespace troupe::test {

using netns::bridge_request;
using netns::link_change;
using netns::veth_request;

namespace {

const std::string bad_link_names[]
  = {"", ".", "..", "a/b", "a:b", "a b", "a%d", "a\n", "sixteen-bytes-xx"};

link_change up(bool on) {
  auto change = link_change{};
  change.up = on;
  return change;
}

link_change with_mtu(uint32_t mtu_bytes) {
  auto change = link_change{};
  change.mtu_bytes = mtu_bytes;
  return change;
}

link_change with_mac(std::string_view text) {
  auto change = link_change{};
  change.mac = mac(text);
  return change;
}

link_change with_name(std::string name) {
  auto change = link_change{};
  change.name = std::move(name);
  return change;
}

link_change with_group(uint32_t group) {
  auto change = link_change{};
  change.group = group;
  return change;
}

link_change with_alias(std::string alias) {
  auto change = link_change{};
  change.alias = std::move(alias);
  return change;
}

bridge_request bridge(std::string name) {
  auto request = bridge_request{};
  request.name = std::move(name);
  return request;
}

} // namespace

TEST_P(KernelContract, MakesABridgeAsAsked) {
  auto request = bridge("br0");
  request.mac = mac("02:00:00:00:00:aa");
  request.mtu_bytes = 1400;
  request.group = 77;
  request.multicast_snooping = false;
  auto index = host().add_bridge(request);
  ASSERT_TRUE(works(index));
  auto made = host().link(*index).value();
  EXPECT_EQ(made.index, *index);
  EXPECT_EQ(made.name, "br0");
  EXPECT_EQ(made.kind, "bridge");
  EXPECT_EQ(made.mac, request.mac);
  EXPECT_EQ(made.mtu_bytes, 1400U);
  EXPECT_EQ(made.group, 77U);
  EXPECT_EQ(made.master, 0);
  EXPECT_EQ(made.alias, "");
  EXPECT_FALSE(made.up);
  EXPECT_FALSE(made.port);
}

// Kernels can be built without it.
TEST_P(KernelContract, FiltersVlansOrRefusesTo) {
  auto request = bridge("br0");
  request.vlan_filtering = true;
  auto index = host().add_bridge(request);
  if (index)
    return;
  EXPECT_TRUE(fails_with(EOPNOTSUPP, index));
  EXPECT_EQ(count_links(host()), 1U);
}

TEST_P(KernelContract, GivesABridgeDefaults) {
  ASSERT_TRUE(works(host().add_bridge(bridge("br0"))));
  auto made = look(host(), "br0");
  EXPECT_EQ(made.mtu_bytes, 1500U);
  EXPECT_EQ(made.group, 0U);
  EXPECT_FALSE(made.mac.is_zero());
  EXPECT_FALSE(made.mac.is_multicast());
}

TEST_P(KernelContract, RefusesBadBridges) {
  ASSERT_TRUE(works(host().add_bridge(bridge("br0"))));
  auto twice = host().add_bridge(bridge("br0"));
  EXPECT_TRUE(fails_with(EEXIST, twice));
  EXPECT_TRUE(fails_with(ec::conflict, twice));
  for (const auto& name : bad_link_names) {
    SCOPED_TRACE(name);
    EXPECT_TRUE(fails_with(EINVAL, host().add_bridge(bridge(name))));
  }
  auto request = bridge("br1");
  request.mac = mac("03:00:00:00:00:01");
  EXPECT_TRUE(fails_with(EADDRNOTAVAIL, host().add_bridge(request)));
  request = bridge("br1");
  for (auto mtu_bytes : {67U, 65536U}) {
    request.mtu_bytes = mtu_bytes;
    EXPECT_TRUE(fails_with(EINVAL, host().add_bridge(request)));
  }
  EXPECT_EQ(count_links(host()), 2U);
}

TEST_P(KernelContract, NumbersLinksUpwardsAndNeverTwice) {
  auto first = host().add_bridge(bridge("br0")).value();
  auto second = host().add_bridge(bridge("br1")).value();
  EXPECT_GT(second, first);
  ASSERT_TRUE(works(host().del_link(second)));
  EXPECT_GT(host().add_bridge(bridge("br1")).value(), second);
}

TEST_P(KernelContract, FindsLinks) {
  auto index = host().add_bridge(bridge("br0")).value();
  EXPECT_EQ(host().link_index("br0").value(), index);
  auto missing = host().link_index("br1");
  EXPECT_TRUE(fails_with(ENODEV, missing));
  EXPECT_TRUE(fails_with(ec::not_found, missing));
  for (const auto& name : bad_link_names)
    EXPECT_TRUE(fails_with(ENODEV, host().link_index(name)));
  for (auto number : {-1, 0, 9999}) {
    EXPECT_TRUE(fails_with(ENODEV, host().link(number)));
    EXPECT_TRUE(fails_with(ENODEV, host().statistics(number)));
    EXPECT_TRUE(fails_with(ENODEV, host().del_link(number)));
    EXPECT_TRUE(fails_with(ENODEV, host().set_link(number, up(true))));
    EXPECT_TRUE(fails_with(ENODEV, host().set_port_flags(number, {})));
  }
  EXPECT_EQ(host().statistics(index).value().rx_packets, 0U);
  auto names = std::vector<std::string>{};
  auto all = host().links().value();
  for (const auto& x : all)
    names.push_back(x.name);
  EXPECT_EQ(names, (std::vector<std::string>{"lo", "br0"}));
}

TEST_P(KernelContract, MakesAVethInPlace) {
  auto master = make_bridge("br0");
  auto there = host().create_namespace("a").value();
  auto inside = host().enter(there).value()->link_index("eth0");
  EXPECT_FALSE(inside);
  auto request = veth_request{};
  request.name = "v0";
  request.master = master;
  request.mtu_bytes = 1400;
  request.group = 78;
  request.peer_name = "eth0";
  request.peer_mac = mac("02:42:0a:00:00:02");
  request.peer_namespace = there;
  auto index = host().add_veth(request);
  ASSERT_TRUE(works(index));
  auto end = host().link(*index).value();
  EXPECT_EQ(end.name, "v0");
  EXPECT_EQ(end.kind, "veth");
  EXPECT_EQ(end.master, master);
  EXPECT_EQ(end.mtu_bytes, 1400U);
  EXPECT_EQ(end.group, 78U);
  EXPECT_TRUE(end.up);
  EXPECT_TRUE(has_flags(end, (netns::port_flags{})));
  EXPECT_EQ(host().read_sysctl(netns::sysctl::ipv6_addr_gen_mode, "v0").value(),
            1);
  auto k = host().enter(there).value();
  auto peer = look(*k, "eth0");
  EXPECT_EQ(peer.kind, "veth");
  EXPECT_EQ(peer.mac, request.peer_mac);
  EXPECT_EQ(peer.mtu_bytes, 1400U);
  EXPECT_EQ(peer.group, 0U);
  EXPECT_FALSE(peer.up);
  EXPECT_FALSE(peer.port);
}

TEST_P(KernelContract, MakesAVethThatStaysDown) {
  auto there = make_namespace("a");
  auto request = veth_request{};
  request.name = "v0";
  request.up = false;
  request.peer_name = "eth0";
  request.peer_namespace = there.ref;
  ASSERT_TRUE(works(host().add_veth(request)));
  EXPECT_FALSE(look(host(), "v0").up);
  EXPECT_EQ(look(host(), "v0").mtu_bytes, 1500U);
  EXPECT_FALSE(look(*there.kernel, "eth0").mac.is_zero());
}

TEST_P(KernelContract, AFailedVethLeavesNothing) {
  auto master = make_bridge("br0");
  auto there = make_namespace("a");
  make_veth("v0", there);
  auto good = veth_request{};
  good.name = "v1";
  good.master = master;
  good.peer_name = "eth1";
  good.peer_namespace = there.ref;
  auto expect = [&](int os_error, auto change) {
    auto request = good;
    change(request);
    EXPECT_TRUE(fails_with(os_error, host().add_veth(request)));
    EXPECT_EQ(count_links(host()), 3U);
    EXPECT_EQ(count_links(*there.kernel), 2U);
  };
  expect(EEXIST, [](auto& x) {
    x.name = "v0";
  });
  expect(EEXIST, [](auto& x) {
    x.peer_name = "eth0";
  });
  expect(ENODEV, [](auto& x) {
    x.master = 9999;
  });
  expect(EOPNOTSUPP, [](auto& x) {
    x.master = 1;
  });
  expect(EINVAL, [](auto& x) {
    x.mtu_bytes = 67;
  });
  expect(EINVAL, [](auto& x) {
    x.mtu_bytes = 65536;
  });
  expect(EADDRNOTAVAIL, [](auto& x) {
    x.peer_mac = mac("03:00:00:00:00:01");
  });
  expect(ENOENT, [](auto& x) {
    x.peer_namespace = {"/nowhere", 1};
  });
  for (const auto& name : bad_link_names) {
    expect(EINVAL, [&](auto& x) {
      x.name = name;
    });
    expect(EINVAL, [&](auto& x) {
      x.peer_name = name;
    });
  }
  auto request = good;
  ++request.peer_namespace.inode;
  EXPECT_TRUE(fails_with(ec::not_found, host().add_veth(request)));
  EXPECT_TRUE(works(host().add_veth(good)));
}

TEST_P(KernelContract, DeletingEitherEndOfAVethDeletesBoth) {
  auto there = make_namespace("a");
  auto index = make_veth("v0", there);
  ASSERT_TRUE(works(host().del_link(index)));
  EXPECT_EQ(count_links(*there.kernel), 1U);
  EXPECT_TRUE(fails_with(ENODEV, host().del_link(index)));
  make_veth("v0", there);
  auto peer = there.kernel->link_index("eth0").value();
  ASSERT_TRUE(works(there.kernel->del_link(peer)));
  EXPECT_TRUE(fails_with(ENODEV, host().link_index("v0")));
}

TEST_P(KernelContract, DeletingABridgeReleasesItsPorts) {
  auto master = make_bridge("br0");
  auto there = make_namespace("a");
  make_veth("v0", there, "eth0", master);
  EXPECT_EQ(look(host(), "v0").master, master);
  ASSERT_TRUE(works(host().del_link(master)));
  auto port = look(host(), "v0");
  EXPECT_EQ(port.master, 0);
  EXPECT_FALSE(port.port);
  EXPECT_TRUE(port.up);
}

TEST_P(KernelContract, DoesNotDeleteTheLoopbackDevice) {
  EXPECT_TRUE(fails_with(EOPNOTSUPP, host().del_link(1)));
}

TEST_P(KernelContract, DeletesAGroup) {
  auto there = make_namespace("a");
  for (auto name : {"v0", "v1", "v2"}) {
    auto index = make_veth(name, there, "p" + std::string{name});
    ASSERT_TRUE(works(host().set_link(index, with_group(9))));
  }
  make_bridge("br0");
  ASSERT_TRUE(works(host().del_group(9)));
  EXPECT_EQ(count_links(host()), 2U);
  EXPECT_EQ(count_links(*there.kernel), 1U);
  auto none = host().del_group(9);
  EXPECT_TRUE(fails_with(ENODEV, none));
  EXPECT_TRUE(fails_with(ec::not_found, none));
}

TEST_P(KernelContract, DoesNotDeleteGroupZeroNorTheLoopbackByGroup) {
  EXPECT_TRUE(fails_with(EPERM, host().del_group(0)));
  auto bridge = make_bridge("br0");
  ASSERT_TRUE(works(host().set_link(bridge, with_group(9))));
  ASSERT_TRUE(works(host().set_link(1, with_group(9))));
  EXPECT_TRUE(fails_with(EOPNOTSUPP, host().del_group(9)));
  EXPECT_EQ(count_links(host()), 2U);
}

TEST_P(KernelContract, ChangesALinkWithinItsLimits) {
  auto there = make_namespace("a");
  auto v0 = make_veth("v0", there);
  EXPECT_TRUE(works(host().set_link(v0, {})));
  for (auto mtu_bytes : {68U, 65535U, 1500U}) {
    ASSERT_TRUE(works(host().set_link(v0, with_mtu(mtu_bytes))));
    EXPECT_EQ(look(host(), "v0").mtu_bytes, mtu_bytes);
  }
  EXPECT_TRUE(fails_with(EINVAL, host().set_link(v0, with_mtu(67))));
  EXPECT_TRUE(fails_with(EINVAL, host().set_link(v0, with_mtu(65536))));
  ASSERT_TRUE(works(host().set_link(v0, with_mac("02:00:00:00:00:05"))));
  EXPECT_EQ(look(host(), "v0").mac, mac("02:00:00:00:00:05"));
  for (auto text : {"03:00:00:00:00:05", "00:00:00:00:00:00"})
    EXPECT_TRUE(fails_with(EADDRNOTAVAIL, host().set_link(v0, with_mac(text))));
  ASSERT_TRUE(works(host().set_link(v0, up(false))));
  EXPECT_FALSE(look(host(), "v0").up);
  ASSERT_TRUE(works(host().set_link(v0, up(true))));
  ASSERT_TRUE(works(host().set_link(v0, up(true))));
  EXPECT_TRUE(look(host(), "v0").up);
}

TEST_P(KernelContract, KeepsAnAlias) {
  auto index = make_bridge("br0");
  auto longest = std::string(255, 'x');
  ASSERT_TRUE(works(host().set_link(index, with_alias(longest))));
  EXPECT_EQ(look(host(), "br0").alias, longest);
  EXPECT_TRUE(fails_with(
    EINVAL, host().set_link(index, with_alias(std::string(256, 'y')))));
  EXPECT_EQ(look(host(), "br0").alias, longest);
  ASSERT_TRUE(works(host().set_link(index, with_alias(""))));
  EXPECT_EQ(look(host(), "br0").alias, "");
}

TEST_P(KernelContract, RenamesALinkThatIsUp) {
  auto index = make_bridge("br0");
  make_bridge("br1", "02:00:00:00:00:02");
  ASSERT_TRUE(works(host().set_link(index, with_name("other"))));
  EXPECT_EQ(host().link_index("other").value(), index);
  EXPECT_TRUE(works(host().set_link(index, with_name("other"))));
  EXPECT_TRUE(fails_with(EEXIST, host().set_link(index, with_name("br1"))));
  for (const auto& name : bad_link_names)
    EXPECT_TRUE(fails_with(EINVAL, host().set_link(index, with_name(name))));
  EXPECT_EQ(host().link(index).value().name, "other");
}

TEST_P(KernelContract, ABridgeAndItsPortsAreOpenedAgain) {
  auto bridge = make_bridge("br0");
  auto closed = link_change{};
  closed.arp = false;
  closed.stp = true;
  ASSERT_TRUE(works(host().set_link(bridge, closed)));
  EXPECT_FALSE(host().link(bridge).value().arp);
  EXPECT_TRUE(host().link(bridge).value().stp);
  auto open = link_change{};
  open.arp = true;
  open.stp = false;
  ASSERT_TRUE(works(host().set_link(bridge, open)));
  EXPECT_TRUE(host().link(bridge).value().arp);
  EXPECT_FALSE(host().link(bridge).value().stp);
  auto there = make_namespace("a");
  auto request = veth_request{};
  request.name = "v0";
  request.master = bridge;
  request.peer_name = "eth0";
  request.peer_namespace = there.ref;
  auto port = host().add_veth(request);
  ASSERT_TRUE(works(port));
  auto flags = netns::port_flags{};
  flags.flood = flags.broadcast_flood = flags.multicast_flood = false;
  flags.locked = true;
  for (const auto& x : {flags, netns::port_flags{}}) {
    ASSERT_TRUE(works(host().set_port_flags(*port, x)));
    EXPECT_TRUE(has_flags(host().link(*port).value(), x));
  }
  EXPECT_FALSE(host().link(*port).value().port_blocked);
  auto block = link_change{};
  block.port_blocked = true;
  EXPECT_TRUE(fails_with(EINVAL, host().set_link(*port, block)));
}

} // namespace troupe::test
