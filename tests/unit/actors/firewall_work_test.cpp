#include "troupe/actors/services/firewall/check.hpp"
#include "troupe/actors/services/firewall/work.hpp"
#include "troupe/drivers/registry.hpp"
#include "troupe/netns/faulty/kernel.hpp"
#include "troupe/netns/simulated/kernel.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace troupe::test {

namespace {

using netns::firewall::element;
using netns::firewall::make_element;
using netns::firewall::set_id;

element unguarded(std::string_view port) {
  return make_element(set_id::unguarded, {port}).value();
}

/// The firewall's work in front of a kernel that can be told to fail.
class FirewallWork : public testing::Test {
protected:
  FirewallWork() : work{make(true)} {
  }

  std::unique_ptr<firewall_work> make(bool ip_forward) {
    auto kernel = netns::faulty_kernel_factory(
      netns::simulated_kernel_factory(world), faults)();
    return std::make_unique<firewall_work>(
      std::move(*kernel), nullptr,
      netns::firewall::settings{table, {}, instance{}.link_group()},
      forwarding_policy{ip_forward, true});
  }

  /// Elements in the kernel; -1: there are no tables.
  int present() {
    auto there = netns::open_simulated_kernel(world)->list_elements(table);
    return there ? static_cast<int>(there->size()) : -1;
  }

  void plan(unsigned nth, bool for_ever, netns::fault_rule::effect what) {
    faults->reset_counters();
    auto rule = netns::fault_rule{};
    rule.what = what;
    rule.nth = nth;
    rule.for_ever = for_ever;
    rule.os_error = ENOBUFS;
    faults->add(rule);
  }

  const std::string table
    = netns::firewall::table_name(instance::of("/run/troupe-test"));
  std::shared_ptr<netns::simulated_world> world
    = std::make_shared<netns::simulated_world>();
  std::shared_ptr<netns::fault_plan> faults
    = std::make_shared<netns::fault_plan>();
  std::unique_ptr<firewall_work> work;
};

} // namespace

TEST_F(FirewallWork, TablesComeWithTheFirstWishAndGoWithTheLast) {
  EXPECT_EQ(present(), -1);
  ASSERT_TRUE(work->apply({{"a", {unguarded("trp1")}, false}}));
  EXPECT_EQ(present(), 1);
  ASSERT_TRUE(
    work->apply({{"a", {}}, {"b", {unguarded("trp2"), unguarded("trp3")}}}));
  EXPECT_EQ(present(), 2);
  ASSERT_TRUE(work->apply({{"b", {}}}));
  EXPECT_EQ(present(), -1);
}

TEST_F(FirewallWork, OneFailureIsMadeGoodByLoadingEverything) {
  ASSERT_TRUE(work->apply({{"a", {unguarded("trp1")}, false}}));
  plan(0, false, netns::fault_rule::effect::fail);
  EXPECT_TRUE(work->apply({{"b", {unguarded("trp2")}, false}}));
  EXPECT_EQ(faults->faults(), 1U);
  EXPECT_EQ(present(), 2);
}

TEST_F(FirewallWork, AfterAFailureEverybodyWantsWhatTheyWanted) {
  ASSERT_TRUE(work->apply({{"a", {unguarded("trp1")}, false}}));
  plan(0, true, netns::fault_rule::effect::fail);
  EXPECT_FALSE(
    work->apply({{"a", {unguarded("trp9")}}, {"b", {unguarded("x")}}}));
  faults->clear();
  EXPECT_EQ(work->book().of("a"), std::vector{unguarded("trp1")});
  EXPECT_TRUE(work->book().of("b").empty());
  EXPECT_EQ(present(), 1);
  EXPECT_TRUE(work->differences()->empty());
}

TEST_F(FirewallWork, WhoIsGoneStaysGone) {
  ASSERT_TRUE(
    work->apply({{"a", {unguarded("trp1")}}, {"b", {unguarded("b")}}}));
  plan(0, true, netns::fault_rule::effect::fail);
  EXPECT_FALSE(work->apply({{"a", {}, true}}));
  EXPECT_FALSE(work->apply({{"b", {}, true}}));
  faults->clear();
  EXPECT_TRUE(work->book().empty());
  EXPECT_EQ(work->differences()->size(), 2U);
  ASSERT_TRUE(work->load());
  EXPECT_EQ(present(), -1);
  EXPECT_TRUE(work->differences()->empty());
}

TEST_F(FirewallWork, WhatAnEarlierRunLeftGoesThoughTheFirstTryFails) {
  ASSERT_TRUE(work->apply({{"a", {unguarded("trp1")}, false}}));
  work = make(true);
  plan(0, false, netns::fault_rule::effect::fail);
  EXPECT_FALSE(work->load());
  EXPECT_EQ(present(), 1);
  EXPECT_EQ(work->differences()->size(), 1U);
  ASSERT_TRUE(work->load());
  EXPECT_EQ(present(), -1);
}

TEST_F(FirewallWork, ALostReplyLeavesNoElementBehind) {
  ASSERT_TRUE(work->apply({{"a", {unguarded("trp1")}, false}}));
  plan(0, true, netns::fault_rule::effect::lose_reply);
  EXPECT_FALSE(work->apply({{"b", {unguarded("trp2")}, false}}));
  faults->clear();
  ASSERT_TRUE(work->apply({{"c", {unguarded("trp3")}, false}}));
  EXPECT_EQ(present(), 2);
}

TEST_F(FirewallWork, SeesAndMendsWhatOthersChanged) {
  ASSERT_TRUE(work->apply({{"a", {unguarded("trp1")}, false}}));
  auto other = netns::open_simulated_kernel(world);
  auto steps = std::vector<netns::firewall::element_change>{
    {false, unguarded("trp1")}, {true, unguarded("trp2")}};
  ASSERT_TRUE(other->change_elements(table, steps));
  EXPECT_EQ(work->differences()->size(), 2U);
  ASSERT_TRUE(work->load());
  EXPECT_TRUE(work->differences()->empty());
  ASSERT_TRUE(other->remove_firewall(table));
  EXPECT_EQ(work->differences()->size(), 1U);
}

TEST_F(FirewallWork, ForwardingIsOpenedOnlyWhereThatIsAllowed) {
  auto driver = drivers::make("bridge", instance::of("/run/troupe-test"));
  auto network = network_spec{};
  network.id = network_id{std::string(64, 'a')};
  network.name = "web";
  auto host = netns::open_simulated_kernel(world);
  const auto forwards = [&] {
    return host->read_sysctl(netns::sysctl::ipv4_forwarding, "all").value();
  };
  ASSERT_EQ(forwards(), 0);
  auto refused = make(false)->forwarding().open(*driver, network);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ec::forbidden);
  EXPECT_NE(refused.error().hint.find("net.ipv4.ip_forward=1"),
            std::string::npos);
  EXPECT_EQ(forwards(), 0);
  network.internal = true;
  EXPECT_TRUE(make(false)->forwarding().open(*driver, network));
  network.internal = false;
  EXPECT_TRUE(work->forwarding().open(*driver, network));
  EXPECT_EQ(forwards(), 1);
  EXPECT_EQ(work->warnings().size(), 2U);
}

// -- forwarding ---------------------------------------------------------------

namespace {

using netns::sysctl;

element not_a_router(ip_family family) {
  return make_element(set_id::no_router, {family}).value();
}

/// A host with two cards, and a network of both families.
class Forwarding : public FirewallWork {
protected:
  Forwarding() {
    world->add_hardware("eth0");
    world->add_hardware("eth1");
    for (const auto* x : {"eth0", "eth1"})
      EXPECT_TRUE(host->set_sysctl(sysctl::ipv6_accept_ra, x, 1));
    EXPECT_TRUE(host->set_sysctl(sysctl::ipv6_accept_ra, "eth1", 0));
    network.id = network_id{std::string(64, 'a')};
    network.name = "web";
    network.enable_ipv6 = true;
  }

  std::vector<element> elements() {
    auto there = host->list_elements(table);
    return there.value_or(std::vector<element>{});
  }

  int accept_ra(const std::string& link) {
    return host->read_sysctl(sysctl::ipv6_accept_ra, link).value();
  }

  std::unique_ptr<drivers::driver> driver
    = drivers::make("bridge", instance::of("/run/troupe-test"));
  std::unique_ptr<netns::kernel> host = netns::open_simulated_kernel(world);
  network_spec network;
};

} // namespace

TEST_F(Forwarding, ThatIsSwitchedOnIsForOurNetworksAlone) {
  ASSERT_TRUE(work->forwarding().open(*driver, network));
  EXPECT_EQ(elements(), (std::vector{not_a_router(ip_family::v4),
                                     not_a_router(ip_family::v6)}));
  // The next run finds it on, and knows why.
  auto again = make(true);
  again->recall_forwarding({});
  ASSERT_TRUE(again->apply({{"a", {unguarded("trp1")}}}));
  ASSERT_TRUE(again->forwarding().open(*driver, network));
  EXPECT_EQ(elements().size(), 3U);
  // And goes on saying so.
  const auto told = again->warnings();
  for (const auto* family : {"IPv4", "IPv6"})
    EXPECT_TRUE(std::ranges::any_of(
      told,
      [&](const auto& x) {
        return x.starts_with(std::string{"the host forwards "} + family);
      }))
      << family;
}

// Somebody flushed all rules meanwhile; the store remembers.
TEST_F(Forwarding, StaysForOurNetworksAlone) {
  EXPECT_EQ(work->forwarding().record(), persistence::forwarding_record{});
  ASSERT_TRUE(work->forwarding().open(*driver, network));
  const auto recorded = work->forwarding().record();
  EXPECT_EQ(recorded, (persistence::forwarding_record{true, true}));
  ASSERT_TRUE(host->remove_firewall(table));
  auto again = make(true);
  again->recall_forwarding(recorded);
  ASSERT_TRUE(again->load());
  ASSERT_TRUE(again->forwarding().open(*driver, network));
  EXPECT_EQ(elements(), (std::vector{not_a_router(ip_family::v4),
                                     not_a_router(ip_family::v6)}));
  EXPECT_EQ(again->forwarding().record(), recorded);
}

TEST_F(Forwarding, ThatWasOnIsForEverybody) {
  ASSERT_TRUE(host->set_sysctl(sysctl::ipv4_forwarding, "all", 1));
  ASSERT_TRUE(work->forwarding().open(*driver, network));
  EXPECT_EQ(elements(), std::vector{not_a_router(ip_family::v6)});
  // Somebody switched it off and means the networks as well: it goes on, and
  // the host is the router that it was.
  ASSERT_TRUE(host->set_sysctl(sysctl::ipv4_forwarding, "all", 0));
  ASSERT_TRUE(work->forwarding().open(*driver, network));
  EXPECT_EQ(elements(), std::vector{not_a_router(ip_family::v6)});
}

TEST_F(Forwarding, IsForEverybodyWhereTheSettingsSaySo) {
  ASSERT_TRUE(work->forwarding().open(*driver, network));
  auto open = firewall_work{
    netns::open_simulated_kernel(world), nullptr,
    netns::firewall::settings{table, {}, instance{}.link_group()},
    forwarding_policy{true, false}};
  open.recall_forwarding({});
  ASSERT_TRUE(open.apply({{"a", {unguarded("trp1")}}}));
  ASSERT_TRUE(open.forwarding().open(*driver, network));
  EXPECT_EQ(elements(), std::vector{unguarded("trp1")});
}

TEST_F(Forwarding, KeepsRoutesFromRouterAdvertisements) {
  network.enable_ipv6 = false;
  ASSERT_TRUE(work->forwarding().open(*driver, network));
  EXPECT_EQ(accept_ra("eth0"), 1);
  network.enable_ipv6 = true;
  ASSERT_TRUE(work->forwarding().open(*driver, network));
  EXPECT_EQ(accept_ra("eth0"), 2);
  EXPECT_EQ(accept_ra("eth1"), 0);
  EXPECT_EQ(accept_ra("default"), 2); // Of links that come later.
  EXPECT_EQ(accept_ra("lo"), 1);
  auto told = false;
  for (const auto& x : work->warnings())
    told |= x.find("net.ipv6.conf.eth0.accept_ra") != std::string::npos;
  EXPECT_TRUE(told);
}

TEST_F(Forwarding, IsAllOrNothing) {
  const auto before = fingerprint(*world);
  for (unsigned n = 0;; ++n) {
    SCOPED_TRACE(n);
    work = make(true);
    plan(n, false, netns::fault_rule::effect::fail);
    auto done = work->forwarding().open(*driver, network);
    const auto hit = faults->faults() != 0;
    faults->clear();
    faults->reset_counters();
    if (!hit)
      break;
    if (done)
      continue; // What only reads may fail.
    if (host->read_sysctl(sysctl::ipv4_forwarding, "all").value() == 0) {
      EXPECT_EQ(fingerprint(*world), before);
    }
    (void)host->set_sysctl(sysctl::ipv4_forwarding, "all", 0);
    (void)host->remove_firewall(table);
  }
}

// What a host forwards is given back as long as a network needs it.
TEST_F(FirewallWork, ForwardingThatSomebodySwitchesOffComesBack) {
  auto driver = drivers::make("bridge", instance::of("/run/troupe-test"));
  auto network = network_spec{};
  network.id = network_id{std::string(64, 'a')};
  network.name = "web";
  network.enable_ipv6 = true;
  ASSERT_TRUE(work->forwarding().open(*driver, network));
  EXPECT_TRUE(work->forwarding().mend()->empty());
  auto host = netns::open_simulated_kernel(world);
  for (auto key :
       {netns::sysctl::ipv4_forwarding, netns::sysctl::ipv6_forwarding}) {
    ASSERT_TRUE(world->write_sysctl("", key, "all", 0));
    auto found = work->forwarding().mend();
    ASSERT_TRUE(found);
    ASSERT_EQ(found->size(), 1U);
    EXPECT_TRUE(found->front().repaired);
    EXPECT_EQ(host->read_sysctl(key, "all"), 1);
  }
  // Of an uplink, too.
  const auto uplink = world->add_hardware("up0");
  ASSERT_TRUE(
    host->add_address(uplink, *interface_address::parse("192.0.2.1/24")));
  ASSERT_TRUE(host->add_route(
    {ip_family::v4, {}, *ip_address::parse("192.0.2.2"), uplink, 0}));
  ASSERT_TRUE(
    world->write_sysctl("", netns::sysctl::ipv4_forwarding, "up0", 0));
  EXPECT_EQ(work->forwarding().mend()->size(), 1U);
  EXPECT_EQ(host->read_sysctl(netns::sysctl::ipv4_forwarding, "up0"), 1);
  // A failure says why.
  ASSERT_TRUE(
    world->write_sysctl("", netns::sysctl::ipv4_forwarding, "all", 0));
  world->set_sysctls_read_only(true);
  auto failed = work->forwarding().mend();
  ASSERT_EQ(failed->size(), 1U);
  EXPECT_FALSE(failed->front().repaired);
  EXPECT_NE(failed->front().failure, "");
  EXPECT_EQ(failed->front().command, "sysctl -w net.ipv4.ip_forward=1");
  world->set_sysctls_read_only(false);
  // Not once it is gone.
  work->forwarding().forget(network.id);
  EXPECT_TRUE(work->forwarding().mend()->empty());
}

TEST_F(FirewallWork, ForwardingThatIsNotOursToChangeIsNamed) {
  auto driver = drivers::make("bridge", instance::of("/run/troupe-test"));
  auto network = network_spec{};
  network.id = network_id{std::string(64, 'a')};
  const auto key = netns::sysctl::ipv4_forwarding;
  ASSERT_TRUE(world->write_sysctl("", key, "all", 1));
  auto humble = make(false);
  ASSERT_TRUE(humble->forwarding().open(*driver, network));
  ASSERT_TRUE(world->write_sysctl("", key, "all", 0));
  auto found = humble->forwarding().mend();
  ASSERT_TRUE(found);
  ASSERT_EQ(found->size(), 1U);
  EXPECT_FALSE(found->front().repaired);
  EXPECT_EQ(found->front().repair, "");
  EXPECT_EQ(found->front().command, "sysctl -w net.ipv4.ip_forward=1");
  EXPECT_EQ(netns::open_simulated_kernel(world)->read_sysctl(key, "all"), 0);
}

// A status is asked for by programs that look every second.
TEST_F(Forwarding, IsNotSwitchedOnByAQuestion) {
  ASSERT_TRUE(work->forwarding().open(*driver, network));
  ASSERT_TRUE(world->write_sysctl("", sysctl::ipv4_forwarding, "all", 0));
  const auto before = fingerprint(*world);
  const auto warnings = notes_of(*work).warnings;
  EXPECT_EQ(fingerprint(*world), before);
  EXPECT_NE(std::ranges::find(warnings, "net.ipv4.ip_forward is off: sysctl -w "
                                        "net.ipv4.ip_forward=1"),
            warnings.end());
}

} // namespace troupe::test
