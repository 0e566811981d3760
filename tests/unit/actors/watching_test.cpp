#include "troupe/actors/controller/link_index.hpp"
#include "troupe/actors/embedded/embedded.hpp"
#include "troupe/netns/faulty/kernel.hpp"
#include "troupe/netns/simulated/watch.hpp"
#include "troupe/tests/lab/simulated_daemon.hpp"
#include "troupe/tests/unit/drivers/fixture.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <thread>

namespace troupe::test {

namespace {

using namespace std::chrono_literals;
using netns::kernel_event;
using kind = kernel_event::kind;

network_id network_number(char digit) {
  return network_id{std::string(64, digit)};
}

kernel_event link_event(kind what, int index, std::string name) {
  auto result = kernel_event{};
  result.what = what;
  result.index = index;
  result.link_name = std::move(name);
  return result;
}

netns::link_info link_of(int index, std::string name) {
  auto result = netns::link_info{};
  result.index = index;
  result.name = std::move(name);
  result.up = true;
  return result;
}

std::vector<std::string> names_of(const std::vector<link_index::place>& xs) {
  auto result = std::vector<std::string>{};
  for (const auto& x : xs)
    result.push_back(x.link);
  return result;
}

} // namespace

// -- the index ----------------------------------------------------------------

TEST(LinkIndex, FindsWhoClaimsALink) {
  auto index = link_index{};
  index.claim("br-1", network_number('1'));
  index.claim("trp1", network_number('1'));
  index.claim("trp2", network_number('2'));
  auto find = [&](const char* name) {
    return index.find(link_event(kind::link_changed, 0, name)).networks;
  };
  EXPECT_EQ(find("trp1"), std::vector{network_number('1')});
  EXPECT_EQ(find("trp2"), std::vector{network_number('2')});
  EXPECT_TRUE(find("eth0").empty());
  EXPECT_TRUE(find("").empty());
  index.release("trp2", network_number('1')); // not his
  EXPECT_EQ(find("trp2"), std::vector{network_number('2')});
  index.release("trp2", network_number('2'));
  EXPECT_TRUE(find("trp2").empty());
}

TEST(LinkIndex, AsksBothWhoClaimOneName) {
  auto index = link_index{};
  index.claim("mine0", network_number('1'));
  index.claim("mine0", network_number('2'));
  index.claim("mine0", network_number('2'));
  EXPECT_EQ(index.find(link_event(kind::link_changed, 4, "mine0")).networks,
            (std::vector{network_number('1'), network_number('2')}));
  index.release("mine0", network_number('2'));
  EXPECT_EQ(index.find(link_event(kind::link_changed, 4, "mine0")).networks,
            std::vector{network_number('1')});
}

TEST(LinkIndex, KnowsARenamedLinkByItsIndex) {
  auto index = link_index{};
  index.claim("trp1", network_number('1'));
  (void)index.find(link_event(kind::link_changed, 7, "trp1"));
  auto place = index.find(link_event(kind::link_changed, 7, "taken"));
  EXPECT_EQ(place.link, "trp1");
  EXPECT_EQ(place.networks, std::vector{network_number('1')});
  EXPECT_EQ(index.find(link_event(kind::link_removed, 7, "taken")).link,
            "trp1");
  // The index is free for somebody else's link from here on.
  EXPECT_TRUE(
    index.find(link_event(kind::link_changed, 7, "eth7")).networks.empty());
}

TEST(LinkIndex, ForgetsIndicesOfLinksThatNobodyClaims) {
  auto index = link_index{};
  index.claim("trp1", network_number('1'));
  (void)index.find(link_event(kind::link_changed, 7, "trp1"));
  index.release("trp1", network_number('1'));
  EXPECT_TRUE(
    index.find(link_event(kind::link_changed, 7, "other")).networks.empty());
  index.claim("trp1", network_number('1'));
  EXPECT_TRUE(
    index.find(link_event(kind::link_changed, 7, "other")).networks.empty());
}

TEST(LinkIndex, ComparesWithTheLastTime) {
  auto index = link_index{};
  index.claim("br-1", network_number('1'));
  index.claim("trp1", network_number('1'));
  index.claim("trp2", network_number('1'));
  auto links = std::vector{link_of(1, "lo"), link_of(2, "br-1"),
                           link_of(3, "trp1"), link_of(4, "trp2")};
  EXPECT_TRUE(index.compare(links).empty()) << "all are new";
  EXPECT_TRUE(index.compare(links).empty());
  links[0].up = false; // not ours
  EXPECT_TRUE(index.compare(links).empty());
  links[1].up = false;
  links[2].name = "stolen";
  links.pop_back();
  EXPECT_EQ(names_of(index.compare(links)),
            (std::vector<std::string>{"br-1", "trp1", "trp2"}));
  EXPECT_TRUE(index.compare(links).empty()) << "it was said once";
}

TEST(LinkIndex, ComparesWhatEventsToldToo) {
  auto index = link_index{};
  index.claim("trp1", network_number('1'));
  (void)index.find(link_event(kind::link_changed, 3, "trp1"));
  EXPECT_TRUE(index.compare({link_of(3, "trp1")}).empty());
  EXPECT_EQ(names_of(index.compare({})), std::vector<std::string>{"trp1"});
}

// -- what an event costs ------------------------------------------------------

namespace {

using troupe::testing::simulated_daemon;

/// A daemon on a simulated machine that sees the kernel's events, in virtual
/// time. Counts what it asks the kernel.
struct watched_daemon : ::testing::Test {
  watched_daemon() {
    machine->add_hardware("eth0");
    auto host = netns::open_simulated_kernel(machine);
    for (auto key :
         {netns::sysctl::ipv4_forwarding, netns::sysctl::ipv6_forwarding})
      EXPECT_TRUE(host->set_sysctl(key, "all", 1));
    start();
  }

  void start() {
    auto how = settings{};
    how.state_dir = "/var/lib/troupe-test";
    how.run_dir = "/run/troupe-test";
    how.max_queue = 10'000;
    auto parts = embedded_parts{};
    parts.open_kernel = netns::faulty_kernel_factory(
      netns::simulated_kernel_factory(machine), plan);
    parts.open_store = [disk = disk] {
      return persistence::open_memory(disk);
    };
    parts.open_watch = [this] {
      auto made = std::make_unique<netns::simulated_watch>(machine);
      watch = made.get();
      return result<std::unique_ptr<netns::event_source>>{std::move(made)};
    };
    daemon = std::make_unique<simulated_daemon>(how, instance::of(how.run_dir),
                                                std::move(parts));
    EXPECT_TRUE(daemon->start_up());
  }

  template <class Reply>
  Reply call(request what) {
    auto outcome = std::optional<result<reply>>{};
    daemon->submit(std::move(what), 1h, [&](result<reply> x) {
      outcome = std::move(x);
    });
    daemon->run();
    for (auto i = 0; i < 100 && !outcome; ++i)
      daemon->advance(100ms);
    EXPECT_TRUE(outcome && *outcome);
    return std::get<Reply>(std::move(**outcome));
  }

  void make_network(const std::string& name) {
    auto spec = network_spec{};
    spec.name = name;
    auto subnet = ipam_pool{};
    subnet.subnet
      = prefix::parse("10." + std::to_string(++networks) + ".0.0/16").value();
    spec.pools = {subnet};
    (void)call<network_status>(create_network{spec});
  }

  endpoint_status attach(const std::string& network, const std::string& name) {
    auto spec = sandbox_spec{};
    spec.name = name;
    (void)call<sandbox_status>(create_sandbox{spec});
    return call<endpoint_status>(attach_sandbox{network, name, {}});
  }

  /// What the daemon asks the kernel until the events of now are dealt with.
  size_t calls_for_events() {
    const auto before = plan->calls();
    daemon->advance(3s);
    return plan->calls() - before;
  }

  /// Lets it compare what events have told about, until it asks nothing for a
  /// while: the next regular comparison is far then.
  void settle() {
    auto quiet = 0;
    for (auto i = 0; i < 600 && quiet < 12; ++i) {
      const auto before = plan->calls();
      daemon->advance(1s);
      quiet = plan->calls() == before ? quiet + 1 : 0;
    }
    EXPECT_EQ(quiet, 12);
  }

  /// What is seen now cannot be explained by own operations any more; that is
  /// the one thing here that goes by the real clock.
  void forget_own_changes() {
    settle();
    std::this_thread::sleep_for(50ms);
  }

  /// Of an interface in a sandbox.
  std::vector<interface_address>
  addresses_inside(const std::string& pin, const std::string& interface) {
    for (const auto& space : machine->view().namespaces)
      for (const auto& link : space.links)
        if (space.label.ends_with(pin) && link.info.name == interface)
          return link.addresses;
    return {};
  }

  std::shared_ptr<netns::simulated_world> machine
    = std::make_shared<netns::simulated_world>();
  std::shared_ptr<netns::fault_plan> plan
    = std::make_shared<netns::fault_plan>();
  std::shared_ptr<persistence::memory_disk> disk
    = std::make_shared<persistence::memory_disk>();
  netns::simulated_watch* watch = nullptr;
  std::unique_ptr<simulated_daemon> daemon;
  int networks = 0; ///< So far, each with a subnet of its own.
};

} // namespace

TEST_F(watched_daemon, AsksNothingForWhatIsNotOurs) {
  make_network("web");
  for (auto i = 0; i < 400; ++i)
    attach("web", "box" + std::to_string(i));
  settle();
  EXPECT_EQ(calls_for_events(), 0U) << "nothing happened";
  auto host = netns::open_simulated_kernel(machine);
  const auto eth0 = host->link_index("eth0").value();
  ASSERT_TRUE(host->add_address(1, cidr("127.0.0.2/8")));
  ASSERT_TRUE(host->add_address(eth0, cidr("192.0.2.1/24")));
  auto route = netns::route_info{};
  route.destination = net("198.51.100.0/24");
  route.gateway = ip("192.0.2.2");
  route.index = eth0;
  ASSERT_TRUE(host->add_route(route));
  auto bridge = netns::bridge_request{};
  bridge.name = "docker0";
  ASSERT_TRUE(host->add_bridge(bridge));
  EXPECT_LE(calls_for_events(), 5U);
}

TEST_F(watched_daemon, AsksOneNetworkForWhatIsItsOwn) {
  for (auto i = 0; i < 50; ++i)
    make_network("n" + std::to_string(i));
  const auto link = call<network_status>(inspect_network{"n7"}).interface;
  forget_own_changes();
  ASSERT_TRUE(machine->flush_addresses("", link));
  const auto calls = calls_for_events();
  EXPECT_GT(calls, 0U);
  EXPECT_LE(calls, 40U);
  auto host = netns::open_simulated_kernel(machine);
  EXPECT_FALSE(host->addresses(host->link_index(link).value()).value().empty());
}

// Not with the look at everything, after ten seconds.
TEST_F(watched_daemon, ForgetsNeighboursThatSomebodyNamed) {
  make_network("web");
  attach("web", "box");
  settle();
  auto host = netns::open_simulated_kernel(machine);
  const auto network = call<network_status>(inspect_network{"web"});
  const auto bridge = host->link_index(network.interface).value();
  const auto joined
    = call<endpoint_status>(inspect_endpoint{"", network.endpoints.at(0).value})
        .spec;
  const auto address = joined.addresses.at(0).address;
  const auto wrong = mac_address{{2, 0, 0, 0, 0, 0x99}};
  for (auto i = 0; i < 2; ++i) {
    forget_own_changes();
    ASSERT_TRUE(host->set_neighbour({bridge, address, wrong}));
    daemon->advance(2s);
    EXPECT_TRUE(host->neighbours(bridge)->empty());
    // What somebody has set to what it is stays.
    forget_own_changes();
    ASSERT_TRUE(host->set_neighbour({bridge, address, *joined.mac}));
    daemon->advance(2s);
    EXPECT_EQ(host->neighbours(bridge)->size(), 1U);
  }
}

TEST_F(watched_daemon, ANetworkMoreCostsTheSameBesideMany) {
  make_network("first");
  auto cost_of = [&](const std::string& name) {
    settle();
    const auto before = plan->calls();
    make_network(name);
    daemon->advance(3s);
    return plan->calls() - before;
  };
  const auto alone = cost_of("second");
  for (auto i = 0; i < 100; ++i)
    make_network("n" + std::to_string(i));
  EXPECT_LE(cost_of("last"), alone + 2);
}

TEST_F(watched_daemon, MendsAHostEndThatWasRenamed) {
  make_network("web");
  const auto link = attach("web", "box").host_interface;
  forget_own_changes();
  auto change = netns::link_change{};
  change.name = "stolen0";
  ASSERT_TRUE(machine->change_link("", link, change));
  daemon->advance(3s);
  auto host = netns::open_simulated_kernel(machine);
  EXPECT_TRUE(host->link_index(link));
}

TEST_F(watched_daemon, ComparesEverythingAfterAnOverflow) {
  make_network("web");
  const auto link = attach("web", "box").host_interface;
  settle();
  ASSERT_TRUE(machine->delete_link("", link));
  watch->overflow(); // Takes the event of the deletion with it.
  daemon->advance(3s);
  auto host = netns::open_simulated_kernel(machine);
  EXPECT_TRUE(host->link_index(link));
}

TEST_F(watched_daemon, FindsWhatHidBehindItsOwnChange) {
  make_network("web");
  const auto link = attach("web", "box").host_interface;
  // In the same moment as the events of the attach.
  auto change = netns::link_change{};
  change.master = 0;
  ASSERT_TRUE(machine->change_link("", link, change));
  settle();
  auto host = netns::open_simulated_kernel(machine);
  EXPECT_NE(host->link(host->link_index(link).value()).value().master, 0);
}

TEST_F(watched_daemon, FindsWhatNoEventToldByListingTheLinks) {
  make_network("web");
  const auto link = attach("web", "box").host_interface;
  settle(); // The links were listed.
  ASSERT_TRUE(machine->delete_link("", link));
  (void)watch->wait(0ms); // As if the kernel had kept it to itself.
  daemon->advance(70s);
  auto host = netns::open_simulated_kernel(machine);
  EXPECT_TRUE(host->link_index(link));
}

TEST_F(watched_daemon, FindsWhatNoEventToldInsideASandboxAsWell) {
  make_network("web");
  const auto interface = attach("web", "box").interface;
  const auto pin = call<sandbox_status>(inspect_sandbox{"box"}).spec.id.brief();
  settle();
  ASSERT_FALSE(addresses_inside(pin, interface).empty());
  ASSERT_TRUE(machine->flush_addresses(pin, interface));
  (void)watch->wait(0ms);
  for (auto i = 0; i < 240; ++i) // two hours
    daemon->advance(30s);
  EXPECT_FALSE(addresses_inside(pin, interface).empty());
}

// -- what start-up leaves -----------------------------------------------------

TEST_F(watched_daemon, GoesOnWithWhatStartUpCouldNotMend) {
  make_network("web");
  const auto link = attach("web", "box").host_interface;
  daemon.reset();
  ASSERT_TRUE(machine->delete_link("", link));
  auto fault = netns::fault_rule{};
  fault.on = netns::call::add_veth;
  fault.for_ever = true;
  plan->add(fault);
  start();
  auto host = netns::open_simulated_kernel(machine);
  ASSERT_FALSE(host->link_index(link));
  plan->clear();
  for (auto i = 0; i < 40; ++i) // longer than the longest pause
    daemon->advance(1s);
  EXPECT_TRUE(host->link_index(link));
}

TEST_F(watched_daemon, SwitchesOnWhatWasSwitchedOffBeforeItStarted) {
  make_network("web");
  auto host = netns::open_simulated_kernel(machine);
  const auto eth0 = host->link_index("eth0").value();
  ASSERT_TRUE(host->add_address(eth0, cidr("192.0.2.1/24")));
  auto route = netns::route_info{};
  route.gateway = ip("192.0.2.2");
  route.index = eth0;
  ASSERT_TRUE(host->add_route(route));
  constexpr auto key = netns::sysctl::ipv4_forwarding;
  for (const auto* interface : {"all", "eth0"}) {
    daemon.reset();
    ASSERT_TRUE(machine->write_sysctl("", key, interface, 0));
    start();
    daemon->advance(3s);
    EXPECT_EQ(host->read_sysctl(key, interface).value(), 1) << interface;
  }
}

// -- doing nothing ------------------------------------------------------------

TEST_F(watched_daemon, AsksLittleWhenNothingHappens) {
  make_network("web");
  for (auto i = 0; i < 120; ++i)
    attach("web", "box" + std::to_string(i));
  settle();
  const auto before = plan->calls();
  for (auto i = 0; i < 600; ++i) // ten minutes
    daemon->advance(1s);
  EXPECT_LE(plan->calls() - before, 750U);
}

} // namespace troupe::test
