#include "troupe/netns/watch.hpp"
#include "troupe/tests/system/netns/netlink_fixture.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <thread>

#include <sys/mount.h>

using namespace troupe;
using namespace troupe::netns;
using namespace std::chrono_literals;

namespace {

using kind = kernel_event::kind;

class Watch : public test::netlink_test {
protected:
  void SetUp() override {
    netlink_test::SetUp();
    if (!kernel)
      return;
    auto opened = watch::open(pin_dir());
    ASSERT_OK(opened);
    source = std::move(*opened);
  }

  void TearDown() override {
    inside.reset();
    source.reset();
    netlink_test::TearDown();
  }

  /// Waits for such an event, 5 s at most.
  bool sees(const std::function<bool(const kernel_event&)>& wanted) {
    auto end = std::chrono::steady_clock::now() + 5s;
    while (std::chrono::steady_clock::now() < end) {
      auto events = source->wait(100ms);
      EXPECT_OK(events);
      if (events && std::ranges::any_of(*events, wanted))
        return true;
    }
    return false;
  }

  /// Reads what there is.
  void drain() {
    while (!source->wait(300ms)->empty())
      continue;
  }

  /// A bridge, and `eth0` in a pinned namespace that leads to it.
  void make_pair() {
    bridge = make_bridge();
    auto made = kernel->create_namespace("a");
    ASSERT_OK(made);
    ns = *made;
    ASSERT_OK(kernel->add_veth(veth("h0", bridge, ns)));
    auto entered = kernel->enter(ns);
    ASSERT_OK(entered);
    inside = std::move(*entered);
    eth0 = inside->link_index("eth0").value_or(0);
    raise(*inside, eth0);
  }

  std::unique_ptr<event_source> source;
  int bridge = 0;
  namespace_ref ns;
  std::unique_ptr<netns::kernel> inside;
  int eth0 = 0;
};

TEST_F(Watch, IsSilentWhenNothingHappens) {
  EXPECT_TRUE(source->wait(0ms)->empty());
  EXPECT_TRUE(source->wait(150ms)->empty());
}

TEST_F(Watch, TellsOfLinks) {
  auto request = bridge_request{};
  request.name = "br0";
  request.group = 77;
  auto index = kernel->add_bridge(request);
  ASSERT_OK(index);
  EXPECT_TRUE(sees([&](const kernel_event& x) {
    return x.what == kind::link_changed && x.index == *index
           && x.link_name == "br0" && x.group == 77 && x.namespace_path.empty();
  }));
  drain();
  ASSERT_OK(kernel->del_link(*index));
  EXPECT_TRUE(sees([&](const kernel_event& x) {
    return x.what == kind::link_removed && x.index == *index
           && x.link_name == "br0" && x.group == 77;
  }));
}

TEST_F(Watch, APortThatLeavesItsBridgeIsChangedNotRemoved) {
  auto bridge = make_bridge();
  auto ns = kernel->create_namespace("a");
  ASSERT_OK(ns);
  auto port = kernel->add_veth(veth("h0", bridge, *ns));
  ASSERT_OK(port);
  drain();
  auto change = link_change{};
  change.master = 0;
  ASSERT_OK(kernel->set_link(*port, change));
  auto events = source->wait(1s);
  ASSERT_OK(events);
  EXPECT_FALSE(events->empty());
  EXPECT_TRUE(std::ranges::none_of(*events, [](const kernel_event& x) {
    return x.what == kind::link_removed;
  }));
}

TEST_F(Watch, TellsOfAddressesAndRoutes) {
  auto index = make_bridge();
  ASSERT_OK(
    kernel->add_address(index, *interface_address::parse("10.1.0.1/16")));
  EXPECT_TRUE(sees([&](const kernel_event& x) {
    return x.what == kind::address_changed && x.index == index;
  }));
  auto route = route_info{};
  route.destination = *prefix::parse("10.2.0.0/16");
  route.gateway = *ip_address::parse("10.1.0.2");
  route.index = index;
  ASSERT_OK(kernel->add_route(route));
  EXPECT_TRUE(sees([&](const kernel_event& x) {
    return x.what == kind::route_changed && x.index == index;
  }));
  drain();
  ASSERT_OK(kernel->del_route(route));
  EXPECT_TRUE(sees([&](const kernel_event& x) {
    return x.what == kind::route_changed && x.index == index;
  }));
}

// Of what somebody says of neighbours, and not of what the kernel learns.
TEST_F(Watch, TellsOfNeighboursThatSomebodyNamed) {
  ASSERT_NO_FATAL_FAILURE(make_pair());
  auto here = *interface_address::parse("10.1.0.1/16");
  auto there = *interface_address::parse("10.1.0.5/16");
  ASSERT_OK(kernel->add_address(bridge, here));
  ASSERT_OK(inside->add_address(eth0, there));
  drain();
  ASSERT_EQ(std::system("ping -c 1 -W 2 10.1.0.5 >/dev/null"), 0);
  EXPECT_FALSE(sees([&](const kernel_event& x) {
    return x.what == kind::neighbour_changed;
  }));
  auto mac = *mac_address::parse("02:00:00:00:00:99");
  ASSERT_OK(kernel->set_neighbour({bridge, there.address, mac}));
  EXPECT_TRUE(sees([&](const kernel_event& x) {
    return x.what == kind::neighbour_changed && x.index == bridge
           && x.namespace_path.empty();
  }));
  ASSERT_OK(inside->set_neighbour({eth0, here.address, mac}));
  EXPECT_TRUE(sees([&](const kernel_event& x) {
    return x.what == kind::neighbour_changed && x.index == eth0
           && x.namespace_path == ns.path;
  }));
}

TEST_F(Watch, TellsOfLinksInsidePinnedNamespaces) {
  ASSERT_NO_FATAL_FAILURE(make_pair());
  // Though the pin is new to the watch.
  EXPECT_TRUE(sees([&](const kernel_event& x) {
    return x.what == kind::link_changed && x.link_name == "eth0"
           && x.namespace_path == ns.path;
  }));
  drain();
  ASSERT_OK(
    inside->add_address(eth0, *interface_address::parse("10.1.0.5/16")));
  EXPECT_TRUE(sees([&](const kernel_event& x) {
    return x.what == kind::address_changed && x.index == eth0
           && x.namespace_path == ns.path;
  }));
  drain();
  ASSERT_OK(inside->del_link(eth0));
  auto inner = false;
  auto outer = false;
  EXPECT_TRUE(sees([&](const kernel_event& x) {
    auto removed = x.what == kind::link_removed;
    inner = inner || (removed && x.namespace_path == ns.path);
    outer
      = outer || (removed && x.link_name == "h0" && x.namespace_path.empty());
    return inner && outer;
  }));
}

TEST_F(Watch, SaysNothingOfForeignNamespaces) {
  auto path = run_dir() + "/foreign";
  auto other = open_netlink_kernel(path);
  ASSERT_OK(other);
  auto ns = (*other)->create_namespace("x");
  ASSERT_OK(ns);
  ASSERT_OK(kernel->add_veth(veth("h0", 0, *ns)));
  auto inside = kernel->enter(*ns);
  ASSERT_OK(inside);
  raise(**inside, (*inside)->link_index("eth0").value_or(0));
  for (int i = 0; i < 5; ++i) {
    auto events = source->wait(100ms);
    ASSERT_OK(events);
    for (auto& event : *events) {
      EXPECT_EQ(event.namespace_path, "");
      EXPECT_NE(event.link_name, "eth0");
    }
  }
  // Adopted, it becomes one of ours.
  auto adopted = kernel->adopt_namespace("a", ns->path);
  ASSERT_OK(adopted);
  drain();
  auto down = link_change{};
  down.up = false;
  ASSERT_OK(
    (*inside)->set_link((*inside)->link_index("eth0").value_or(0), down));
  EXPECT_TRUE(sees([&](const kernel_event& x) {
    return x.link_name == "eth0" && x.namespace_path == adopted->path;
  }));
}

TEST_F(Watch, TellsOfPinsThatComeDieAndGo) {
  auto ns = kernel->create_namespace("a");
  ASSERT_OK(ns);
  auto about_it = [&](const kernel_event& x) {
    return x.what == kind::namespaces_changed && x.namespace_path == ns->path;
  };
  EXPECT_TRUE(sees(about_it));
  ASSERT_EQ(::umount2(ns->path.c_str(), MNT_DETACH), 0);
  EXPECT_TRUE(sees(about_it));
  ASSERT_OK(kernel->remove_namespace("a"));
  ASSERT_OK(kernel->create_namespace("a"));
  EXPECT_TRUE(sees(about_it));
  ASSERT_OK(kernel->remove_namespace("a"));
  EXPECT_TRUE(sees(about_it));
}

TEST_F(Watch, SaysWhenEventsWereLost) {
  auto index = make_bridge();
  drain();
  auto change = link_change{};
  for (int i = 0; i < 12000; ++i) {
    change.alias = std::to_string(i);
    ASSERT_OK(kernel->set_link(index, change));
  }
  EXPECT_TRUE(sees([](const kernel_event& x) {
    return x.what == kind::overflow;
  }));
  // And goes on afterwards.
  drain();
  ASSERT_OK(kernel->del_link(index));
  EXPECT_TRUE(sees([](const kernel_event& x) {
    return x.what == kind::link_removed;
  }));
}

TEST_F(Watch, CanBeInterrupted) {
  auto started = std::chrono::steady_clock::now();
  auto interrupter = std::thread{[&] {
    source->interrupt();
  }};
  EXPECT_TRUE(source->wait(30s)->empty());
  interrupter.join();
  source->interrupt();
  source->interrupt();
  EXPECT_TRUE(source->wait(30s)->empty());
  EXPECT_LT(std::chrono::steady_clock::now() - started, 10s);
  EXPECT_TRUE(source->wait(0ms)->empty());
}

} // namespace
