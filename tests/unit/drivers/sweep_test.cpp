#include "troupe/netns/faulty_kernel.hpp"

#include "fixture.hpp"
#include <array>
#include <cstdio>
#include <functional>

// Fault sweeps: every kernel call of every operation of the bridge driver
// fails once and for ever, with and without effect, with each errno. After a
// failure the world is as it was; where even the undo steps fail, the next try
// on a healthy kernel mends, and removing everything leaves nothing.

namespace troupe::test {

namespace {

constexpr auto errnos
  = std::array{EPERM,  ENOENT, EINTR,  EAGAIN, ENOMEM,     EBUSY,   EEXIST,
               ENODEV, EINVAL, EMFILE, ENOSPC, EOPNOTSUPP, ENOBUFS, ETIMEDOUT};

constexpr auto longest_operation = 200U;

/// What one run works on.
struct stage {
  host machine;
  std::unique_ptr<drivers::driver> driver = drivers::make("bridge", owner);
  network_spec network = network_dual();
  std::vector<drivers::endpoint_plan> plans;

  void add_endpoint() {
    auto n = static_cast<unsigned>(plans.size()) + 1;
    auto box = machine.sandbox(fmt::format("box-{}", n));
    plans.push_back(plan_for(network, box, n));
  }

  void build() {
    ASSERT_TRUE(driver->create_network(*machine.kernel, network));
    for (const auto& x : plans)
      ASSERT_TRUE(driver->create_endpoint(*machine.kernel, x));
  }

  /// Removes everything on a healthy kernel.
  void clean() {
    ASSERT_TRUE(driver->remove_endpoints(*machine.kernel, plans));
    ASSERT_TRUE(driver->remove_network(*machine.kernel, network));
    auto rest = driver->list(*machine.kernel).value();
    for (const auto& x : rest)
      EXPECT_EQ(x.what, drivers::found_object::kind::doomed) << x.name;
    ASSERT_TRUE(driver->remove_found(*machine.kernel, rest));
  }
};

struct scenario {
  const char* name;
  /// What is there before the driver did anything.
  std::function<void(stage&)> scenery;
  /// What the driver and third parties did before the operation.
  std::function<void(stage&)> prepare;
  std::function<result<void>(stage&, netns::kernel&)> act;
  /// Is it done? On a healthy kernel.
  std::function<bool(stage&)> is_done;
  /// A failure may leave less behind than there was: what is removed is gone,
  /// and what only a crash can have left is tidied up.
  bool may_shrink = false;
};

std::ostream& operator<<(std::ostream& out, const scenario& x) {
  return out << x.name;
}

bool network_stands(stage& x) {
  auto lines = x.driver->inspect_network(*x.machine.kernel, x.network);
  return lines && lines->empty();
}

bool endpoints_stand(stage& x) {
  for (const auto& plan : x.plans) {
    auto lines = x.driver->inspect_endpoint(*x.machine.kernel, plan);
    if (!lines || !lines->empty())
      return false;
  }
  return true;
}

bool endpoints_are_gone(stage& x) {
  auto all = x.driver->list(*x.machine.kernel).value();
  for (const auto& found : all)
    if (found.what != drivers::found_object::kind::network)
      return false;
  return true;
}

bool all_is_gone(stage& x) {
  return x.driver->list(*x.machine.kernel).value().empty();
}

result<void> create_network(stage& x, netns::kernel& k) {
  return x.driver->create_network(k, x.network);
}

result<void> create_first(stage& x, netns::kernel& k) {
  return x.driver->create_endpoint(k, x.plans.front());
}

void nothing(stage&) {
}

void one_endpoint(stage& x) {
  x.add_endpoint();
}

void three_endpoints(stage& x) {
  for (auto i = 0; i < 3; ++i)
    x.add_endpoint();
}

void isolated_endpoint(stage& x) {
  x.network.options["icc"] = "false";
  x.add_endpoint();
}

void host_bridge(stage& x) {
  x.network.options["name"] = "br0";
  auto index = x.machine.foreign_bridge("br0");
  auto change = netns::link_change{};
  change.up = false;
  change.alias = "rack 7";
  ASSERT_TRUE(x.machine.kernel->set_link(index, change));
  ASSERT_TRUE(
    x.machine.kernel->set_sysctl(netns::sysctl::ipv6_disable, "br0", 1));
}

void only_network(stage& x) {
  ASSERT_TRUE(x.driver->create_network(*x.machine.kernel, x.network));
}

void everything(stage& x) {
  x.build();
}

void damaged_bridge(stage& x) {
  x.build();
  auto name = x.driver->network_interface(x.network);
  ASSERT_TRUE(x.machine.world->flush_addresses("", name));
  auto change = netns::link_change{};
  change.up = false;
  change.mtu_bytes = 1400;
  change.mac = mac_address{{2, 1, 1, 1, 1, 1}};
  change.name = "stolen";
  ASSERT_TRUE(x.machine.world->change_link("", name, change));
}

void damaged_endpoint(stage& x) {
  x.build();
  auto change = netns::link_change{};
  change.up = false;
  change.mtu_bytes = 1400;
  change.name = "stolen";
  change.master = 0;
  ASSERT_TRUE(x.machine.world->change_link("", "trp000000000001", change));
  ASSERT_TRUE(x.machine.world->flush_addresses("box-1", "eth0"));
  ASSERT_TRUE(x.machine.world->flush_routes("box-1"));
  change.master.reset();
  change.name.reset();
  ASSERT_TRUE(x.machine.world->change_link("box-1", "eth0", change));
}

void bare_pair(stage& x) {
  only_network(x);
  auto request = netns::veth_request{};
  request.name = "trp000000000001";
  request.group = owner.link_group();
  request.peer_name = "eth0";
  request.peer_mac = mac_address::from_ipv4(ip("10.1.0.2"));
  request.peer_namespace = x.plans.front().where.ns;
  ASSERT_TRUE(x.machine.kernel->add_veth(request));
}

void other_default_route(stage& x) {
  auto other = network_v4('b');
  other.pools = {pool("10.2.0.0/16", "10.2.0.1")};
  ASSERT_TRUE(x.driver->create_network(*x.machine.kernel, other));
  auto second = plan_for(other, x.plans.front().where.ns, 9);
  second.where.interface = "eth9";
  only_network(x);
  ASSERT_TRUE(x.driver->create_endpoint(*x.machine.kernel, second));
}

void remove_other_network(stage& x) {
  auto other = network_v4('b');
  auto second = plan_for(other, x.plans.front().where.ns, 9);
  ASSERT_TRUE(x.driver->remove_endpoints(*x.machine.kernel, {&second, 1}));
  ASSERT_TRUE(x.driver->remove_network(*x.machine.kernel, other));
}

void lost_peer(stage& x) {
  x.build();
  x.machine.world->defer_teardown(true);
  ASSERT_TRUE(x.machine.kernel->remove_namespace("box-1"));
  x.plans.front().where.ns = x.machine.sandbox("box-1");
}

const scenario scenarios[] = {
  {"CreateNetwork", nothing, nothing, create_network, network_stands},
  {"CreateNetworkAgain", nothing, only_network, create_network, network_stands},
  {"CreateNetworkOnHostBridge", host_bridge, nothing, create_network,
   network_stands},
  {"MendNetwork", one_endpoint, damaged_bridge, create_network, network_stands},
  {"CreateEndpoint", one_endpoint, only_network, create_first, endpoints_stand},
  {"CreateIsolatedEndpoint", isolated_endpoint, only_network, create_first,
   endpoints_stand},
  {"CreateEndpointAgain", isolated_endpoint, everything, create_first,
   endpoints_stand},
  {"CreateEndpointOverDefaultRoute", one_endpoint, other_default_route,
   create_first, endpoints_stand},
  {"MendEndpoint", isolated_endpoint, damaged_endpoint, create_first,
   endpoints_stand},
  {"MendBarePair", isolated_endpoint, bare_pair, create_first, endpoints_stand,
   true},
  {"MendLostPeer", one_endpoint, lost_peer, create_first, endpoints_stand},
  {"RemoveNetwork", nothing, everything,
   [](stage& x, netns::kernel& k) {
     return x.driver->remove_network(k, x.network);
   },
   all_is_gone, true},
  {"RemoveNetworkFromHostBridge", host_bridge, everything,
   [](stage& x, netns::kernel& k) {
     return x.driver->remove_network(k, x.network);
   },
   all_is_gone},
  {"RemoveEndpoint", one_endpoint, everything,
   [](stage& x, netns::kernel& k) {
     return x.driver->remove_endpoints(k, x.plans);
   },
   endpoints_are_gone, true},
  {"RemoveThreeEndpoints", three_endpoints, everything,
   [](stage& x, netns::kernel& k) {
     return x.driver->remove_endpoints(k, x.plans);
   },
   endpoints_are_gone, true},
  {"RemoveFound", three_endpoints, everything,
   [](stage& x, netns::kernel& k) {
     auto found = x.driver->list(k);
     return found ? x.driver->remove_found(k, *found)
                  : result<void>{fail(found.error())};
   },
   all_is_gone, true},
  {"Inspect", three_endpoints, everything,
   [](stage& x, netns::kernel& k) {
     auto lines = x.driver->inspect_network(k, x.network);
     if (!lines)
       return result<void>{fail(lines.error())};
     lines = x.driver->inspect_endpoint(k, x.plans.back());
     return lines ? result<void>{} : result<void>{fail(lines.error())};
   },
   [](stage& x) {
     return network_stands(x) && endpoints_stand(x);
   }},
};

// An errno that says "is not there" makes a look-up lie, and an operation may
// rightly conclude that there is nothing to do.
bool is_a_lie(int os_error) {
  return os_error == ENOENT || os_error == ENODEV;
}

size_t total_runs = 0;

class Sweep : public ::testing::TestWithParam<scenario> {
protected:
  /// One run. @returns false if the fault was not reached.
  bool run(const netns::fault_rule& rule) {
    const auto& x = GetParam();
    auto play = stage{};
    x.scenery(play);
    auto pristine = play.machine.print();
    x.prepare(play);
    auto before = play.machine.print();
    auto plan = std::make_shared<netns::fault_plan>();
    plan->add(rule);
    auto faulty = netns::open_faulty_kernel(
      netns::open_simulated_kernel(play.machine.world), plan);
    auto done = x.act(play, *faulty);
    if (plan->faults() == 0) {
      EXPECT_TRUE(done) << text(done);
      EXPECT_TRUE(x.is_done(play)) << play.machine.print();
      return false;
    }
    ++total_runs;
    if (done && !is_a_lie(rule.os_error)) {
      EXPECT_TRUE(x.is_done(play)) << play.machine.print();
    }
    if (!done && !rule.for_ever && !x.may_shrink) {
      EXPECT_EQ(play.machine.print(), before) << text(done);
    }
    retry_and_clean(play, pristine);
    return true;
  }

  void retry_and_clean(stage& play, const std::string& pristine) {
    const auto& x = GetParam();
    auto again = x.act(play, *play.machine.kernel);
    EXPECT_TRUE(again) << text(again);
    EXPECT_TRUE(x.is_done(play)) << play.machine.print();
    if (x.name == std::string_view{"CreateEndpointOverDefaultRoute"})
      remove_other_network(play);
    play.clean();
    play.machine.world->finish_teardown();
    EXPECT_EQ(play.machine.print(), pristine);
  }
};

TEST_P(Sweep, LeavesTheWorldAsItWas) {
  using effect = netns::fault_rule::effect;
  for (auto what : {effect::fail, effect::lose_reply})
    for (auto for_ever : {false, true})
      for (auto os_error : errnos)
        for (auto n = 0U; n < longest_operation; ++n) {
          SCOPED_TRACE(fmt::format(
            "call {}{} errno {}{}", n, for_ever ? " and on" : "", os_error,
            what == effect::lose_reply ? " after its effect" : ""));
          auto reached = run({what, {}, n, for_ever, os_error, {}});
          if (HasFailure())
            return;
          if (!reached)
            break;
        }
}

INSTANTIATE_TEST_SUITE_P(Bridge, Sweep, ::testing::ValuesIn(scenarios),
                         [](const auto& x) {
                           return std::string{x.param.name};
                         });

/// Prints how many faults were injected.
class run_counter : public ::testing::Environment {
public:
  void TearDown() override {
    std::printf("fault sweeps of the bridge driver: %zu runs\n", total_runs);
  }
};

[[maybe_unused]] const auto* const counter
  = ::testing::AddGlobalTestEnvironment(new run_counter);

} // namespace

} // namespace troupe::test
