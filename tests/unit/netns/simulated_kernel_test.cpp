#include "troupe/netns/simulated/kernel.hpp"
#include "troupe/tests/unit/netns/kernel_contract.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <thread>

namespace troupe::test {

namespace {

using netns::bridge_request;
using netns::fingerprint;
using netns::link_change;
using netns::open_simulated_kernel;
using netns::simulated_world;
using netns::veth_request;

constexpr auto pins = "/run/test/netns";

class simulated_machine : public machine {
public:
  explicit simulated_machine(bool is_old) : is_old_(is_old) {
    if (is_old)
      world_->set_release(6, 1);
  }

  std::unique_ptr<netns::kernel> open() override {
    return open_simulated_kernel(world_);
  }
  std::string make_external_namespace() override {
    auto path = "/proc/" + std::to_string(next_process_++) + "/ns/net";
    return world_->make_external_namespace(path).path;
  }
  std::string host_path() override {
    return "/proc/self/ns/net";
  }
  std::string make_plain_file() override {
    world_->make_plain_file("/etc/passwd");
    return "/etc/passwd";
  }
  void unmount_pin(const std::string& path) override {
    EXPECT_TRUE(works(world_->unmount_pin(path.substr(path.rfind('/') + 1))));
  }
  bool renames_running_links() override {
    return !is_old_;
  }
  bool eventually(const std::function<bool()>& condition) override {
    return condition();
  }

private:
  std::shared_ptr<simulated_world> world_
    = std::make_shared<simulated_world>(pins);
  int next_process_ = 100;
  bool is_old_ = false;
};

std::unique_ptr<machine> make_machine(std::string&) {
  return std::make_unique<simulated_machine>(false);
}

std::unique_ptr<machine> make_old_machine(std::string&) {
  return std::make_unique<simulated_machine>(true);
}

} // namespace

INSTANTIATE_TEST_SUITE_P(
  Simulated, KernelContract,
  ::testing::Values(contract_param{"simulated", make_machine},
                    contract_param{"simulated_linux_6_1", make_old_machine}));

INSTANTIATE_TEST_SUITE_P(Simulated, FirewallContract,
                         ::testing::Values(contract_param{"simulated",
                                                          make_machine}));

/// A world with the bridge `br0` and a sandbox `a` whose `eth0` is its port.
class SimulatedWorld : public ::testing::Test {
protected:
  void SetUp() override {
    auto bridge = bridge_request{};
    bridge.name = "br0";
    bridge.mac = mac("02:00:00:00:00:01");
    bridge_ = kernel_->add_bridge(bridge).value();
    ns_ = kernel_->create_namespace("a").value();
    add_veth("v0", "eth0");
  }

  void add_veth(const std::string& name, const std::string& peer) {
    auto request = veth_request{};
    request.name = name;
    request.master = bridge_;
    request.peer_name = peer;
    request.peer_namespace = ns_;
    ASSERT_TRUE(works(kernel_->add_veth(request)));
  }

  std::shared_ptr<simulated_world> world_
    = std::make_shared<simulated_world>(pins);
  std::unique_ptr<netns::kernel> kernel_ = open_simulated_kernel(world_);
  netns::namespace_ref ns_;
  int bridge_ = 0;
};

TEST_F(SimulatedWorld, OutlivesItsKernelObjects) {
  auto before = fingerprint(*world_, true);
  kernel_.reset();
  EXPECT_EQ(fingerprint(*world_, true), before);
  kernel_ = open_simulated_kernel(world_);
  EXPECT_EQ(kernel_->link_index("br0").value(), bridge_);
}

TEST_F(SimulatedWorld, IsDeterministic) {
  auto first = fingerprint(*world_, true);
  world_ = std::make_shared<simulated_world>(pins);
  kernel_ = open_simulated_kernel(world_);
  SetUp();
  EXPECT_EQ(fingerprint(*world_, true), first);
}

TEST_F(SimulatedWorld, PostponesTeardownsWhenTold) {
  world_->defer_teardown(true);
  ASSERT_TRUE(works(kernel_->remove_namespace("a")));
  EXPECT_TRUE(works(kernel_->link_index("v0")));
  EXPECT_TRUE(fails_with(ec::not_found, kernel_->enter(ns_)));
  EXPECT_EQ(world_->finish_teardown(), 1);
  EXPECT_FALSE(kernel_->link_index("v0"));
  EXPECT_EQ(world_->finish_teardown(), 0);
}

TEST_F(SimulatedWorld, LetsAThirdPartyInterfere) {
  EXPECT_TRUE(works(world_->delete_link("a", "eth0")));
  EXPECT_FALSE(kernel_->link_index("v0"));
  EXPECT_TRUE(fails_with(ENODEV, world_->delete_link("", "v0")));
  EXPECT_TRUE(fails_with(ENOENT, world_->delete_link("none", "v0")));
  auto change = link_change{};
  change.name = "stolen";
  EXPECT_TRUE(works(world_->change_link("", "br0", change)));
  EXPECT_EQ(kernel_->link(bridge_).value().name, "stolen");
  auto address = interface_address::parse("10.0.0.1/24").value();
  ASSERT_TRUE(works(kernel_->add_address(bridge_, address)));
  EXPECT_TRUE(works(world_->flush_addresses("", "stolen")));
  EXPECT_TRUE(kernel_->addresses(bridge_).value().empty());
}

TEST_F(SimulatedWorld, FlushesRoutes) {
  auto change = link_change{};
  change.up = true;
  ASSERT_TRUE(works(kernel_->set_link(bridge_, change)));
  auto route = netns::route_info{};
  route.destination = net("10.1.0.0/16");
  route.index = bridge_;
  ASSERT_TRUE(works(kernel_->add_route(route)));
  EXPECT_TRUE(works(world_->flush_routes("")));
  EXPECT_TRUE(kernel_->routes().value().empty());
}

TEST_F(SimulatedWorld, ReplacesAPinByAnotherNamespace) {
  ASSERT_TRUE(works(world_->replace_pin("a")));
  EXPECT_TRUE(fails_with(ec::not_found, kernel_->enter(ns_)));
  auto now = kernel_->namespaces().value().front().second;
  EXPECT_NE(now.inode, ns_.inode);
  EXPECT_TRUE(works(kernel_->enter(now)));
  // What its maker keeps open lives on until it ends.
  EXPECT_TRUE(works(kernel_->link_index("v0")));
  kernel_ = open_simulated_kernel(world_);
  EXPECT_FALSE(kernel_->link_index("v0"));
  EXPECT_TRUE(fails_with(ENOENT, world_->replace_pin("none")));
}

TEST_F(SimulatedWorld, AnAdoptedNamespaceSurvivesItsProcess) {
  world_->make_external_namespace("/proc/7/ns/net");
  auto pinned = kernel_->adopt_namespace("b", "/proc/7/ns/net").value();
  ASSERT_TRUE(works(world_->drop_external_namespace("/proc/7/ns/net")));
  EXPECT_TRUE(works(kernel_->enter(pinned)));
  EXPECT_TRUE(
    fails_with(ENOENT, world_->drop_external_namespace("/proc/7/ns/net")));
}

TEST_F(SimulatedWorld, AReusedProcessNumberIsAnotherNamespace) {
  auto first = world_->make_external_namespace("/proc/7/ns/net");
  auto second = world_->make_external_namespace("/proc/7/ns/net");
  EXPECT_NE(first.inode, second.inode);
  EXPECT_TRUE(fails_with(ec::not_found, kernel_->enter(first)));
}

TEST_F(SimulatedWorld, ReadOnlySysctlsTakeTheValueTheyHave) {
  world_->set_sysctls_read_only(true);
  auto key = netns::sysctl::ipv4_forwarding;
  EXPECT_TRUE(works(kernel_->set_sysctl(key, "br0", 0)));
  EXPECT_TRUE(fails_with(EROFS, kernel_->set_sysctl(key, "br0", 1)));
}

TEST_F(SimulatedWorld, ReportsTheStatisticsItWasGiven) {
  auto value = netns::link_statistics{};
  value.rx_packets = 7;
  ASSERT_TRUE(works(world_->set_statistics("", "v0", value)));
  auto index = kernel_->link_index("v0").value();
  EXPECT_EQ(kernel_->statistics(index).value().rx_packets, 7U);
}

TEST_F(SimulatedWorld, HardwareCannotBeDeleted) {
  auto index = world_->add_hardware("eth0");
  EXPECT_TRUE(fails_with(EOPNOTSUPP, kernel_->del_link(index)));
  EXPECT_EQ(kernel_->link(index).value().kind, "");
}

TEST_F(SimulatedWorld, ARebootLeavesAFreshHost) {
  world_->reboot();
  EXPECT_TRUE(fails_with(ENODEV, kernel_->links()));
  kernel_ = open_simulated_kernel(world_);
  EXPECT_EQ(kernel_->links().value().size(), 1U);
  EXPECT_EQ(fingerprint(*world_), fingerprint(simulated_world{}));
}

TEST_F(SimulatedWorld, SharesAmongThreads) {
  constexpr int rounds = 200;
  auto work = [this](const std::string& name) {
    auto mine = open_simulated_kernel(world_);
    for (int i = 0; i < rounds; ++i) {
      auto request = bridge_request{};
      request.name = name;
      auto index = mine->add_bridge(request);
      EXPECT_TRUE(works(index));
      EXPECT_TRUE(works(mine->del_link(index.value_or(0))));
    }
  };
  auto before = fingerprint(*world_);
  auto one = std::thread{work, "x"};
  auto two = std::thread{work, "y"};
  one.join();
  two.join();
  EXPECT_EQ(fingerprint(*world_), before);
}

TEST_F(SimulatedWorld, FingerprintNamesEveryFact) {
  auto text = fingerprint(*world_);
  EXPECT_NE(text.find("host: link v0 kind veth"), std::string::npos) << text;
  EXPECT_NE(text.find("peer a/eth0"), std::string::npos) << text;
  EXPECT_NE(text.find("master br0"), std::string::npos) << text;
  EXPECT_NE(text.find("a: address lo 127.0.0.1/8"), std::string::npos) << text;
  EXPECT_NE(text.find("pin a\n"), std::string::npos) << text;
}

// Every change must show, and undoing it must restore the text.
TEST_F(SimulatedWorld, FingerprintTellsEveryChange) {
  auto before = fingerprint(*world_);
  auto tell
    = [&](const char* what, const link_change& there, const link_change& back) {
        SCOPED_TRACE(what);
        ASSERT_TRUE(works(kernel_->set_link(bridge_, there)));
        EXPECT_NE(fingerprint(*world_), before);
        ASSERT_TRUE(works(kernel_->set_link(bridge_, back)));
        EXPECT_EQ(fingerprint(*world_), before);
      };
  link_change on, off;
  on.up = true;
  off.up = false;
  tell("up", on, off);
  on = off = {};
  on.mtu_bytes = 1400;
  off.mtu_bytes = 1500;
  tell("mtu", on, off);
  on = off = {};
  on.alias = "x";
  off.alias = "";
  tell("alias", on, off);
  on = off = {};
  on.group = 5;
  off.group = 0;
  tell("group", on, off);
  on = off = {};
  on.name = "other";
  off.name = "br0";
  tell("name", on, off);
  ASSERT_TRUE(
    works(kernel_->set_sysctl(netns::sysctl::ipv4_forwarding, "all", 1)));
  EXPECT_NE(fingerprint(*world_), before);
}

TEST_F(SimulatedWorld, FingerprintForgivesANewIndexUnlessToldOtherwise) {
  auto before = fingerprint(*world_);
  auto strict = fingerprint(*world_, true);
  auto request = bridge_request{};
  request.name = "extra";
  auto extra = kernel_->add_bridge(request).value();
  EXPECT_NE(fingerprint(*world_), before);
  ASSERT_TRUE(works(kernel_->del_link(extra)));
  EXPECT_EQ(fingerprint(*world_), before);
  request = {};
  request.name = "br0";
  request.mac = kernel_->link(bridge_).value().mac;
  auto port = kernel_->link_index("v0").value();
  ASSERT_TRUE(works(kernel_->del_link(bridge_)));
  auto again = kernel_->add_bridge(request).value();
  auto change = link_change{};
  change.master = again;
  ASSERT_TRUE(works(kernel_->set_link(port, change)));
  EXPECT_EQ(fingerprint(*world_), before);
  EXPECT_NE(fingerprint(*world_, true), strict);
}

} // namespace troupe::test
