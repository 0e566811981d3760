#include "troupe/netns/faulty/kernel.hpp"
#include "troupe/netns/simulated/kernel.hpp"
#include "troupe/tests/unit/netns/kernel_contract.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <set>

namespace troupe::test {

namespace {

using netns::bridge_request;
using netns::call;
using netns::fault_plan;
using netns::fault_rule;
using netns::fingerprint;
using netns::simulated_world;
using effect = fault_rule::effect;

bridge_request bridge(const std::string& name) {
  auto request = bridge_request{};
  request.name = name;
  return request;
}

fault_rule rule(effect what, std::optional<call> on = {}, unsigned nth = 0) {
  auto x = fault_rule{};
  x.what = what;
  x.on = on;
  x.nth = nth;
  x.os_error = ENOBUFS;
  return x;
}

/// A simulated kernel behind a plan without rules.
class FaultyKernel : public ::testing::Test {
protected:
  bool has(const std::string& name) {
    return fingerprint(*world_).find("link " + name + " ") != std::string::npos;
  }

  std::shared_ptr<simulated_world> world_ = std::make_shared<simulated_world>();
  std::shared_ptr<fault_plan> plan_ = std::make_shared<fault_plan>();
  std::unique_ptr<netns::kernel> kernel_
    = open_faulty_kernel(netns::open_simulated_kernel(world_), plan_);
};

/// The contract once more: a decorator without rules must not be noticed.
class transparent_machine : public machine {
public:
  std::unique_ptr<netns::kernel> open() override {
    return open_faulty_kernel(netns::open_simulated_kernel(world_),
                              std::make_shared<fault_plan>());
  }
  std::string make_external_namespace() override {
    return world_->make_external_namespace("/proc/7/ns/net").path;
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
    return true;
  }
  bool eventually(const std::function<bool()>& condition) override {
    return condition();
  }

private:
  std::shared_ptr<simulated_world> world_ = std::make_shared<simulated_world>();
};

std::unique_ptr<machine> make_transparent(std::string&) {
  return std::make_unique<transparent_machine>();
}

} // namespace

INSTANTIATE_TEST_SUITE_P(Faulty, KernelContract,
                         ::testing::Values(contract_param{"faulty",
                                                          make_transparent}));

INSTANTIATE_TEST_SUITE_P(Faulty, FirewallContract,
                         ::testing::Values(contract_param{"faulty",
                                                          make_transparent}));

TEST(KernelCall, HasANameOfItsOwn) {
  auto names = std::set<std::string_view>{};
  for (size_t i = 0; i < netns::call_count; ++i) {
    auto what = static_cast<call>(i);
    EXPECT_TRUE(names.insert(to_string(what)).second) << to_string(what);
    EXPECT_EQ(netns::call_from_string(to_string(what)), what);
  }
  EXPECT_FALSE(netns::call_from_string("fork"));
  EXPECT_EQ(to_string(call::read_sysctl), "read_sysctl");
}

TEST(KernelCall, EnterAndReadsDoNotMutate) {
  EXPECT_TRUE(mutates(call::add_veth));
  EXPECT_TRUE(mutates(call::set_sysctl));
  EXPECT_FALSE(mutates(call::enter));
  EXPECT_FALSE(mutates(call::links));
  EXPECT_FALSE(mutates(call::read_sysctl));
}

TEST_F(FaultyKernel, CountsAndLogsCalls) {
  auto index = kernel_->add_bridge(bridge("br0")).value();
  ASSERT_TRUE(works(kernel_->link(index)));
  ASSERT_TRUE(works(kernel_->links()));
  EXPECT_EQ(plan_->calls(), 3U);
  EXPECT_EQ(plan_->calls(call::links), 1U);
  EXPECT_EQ(plan_->faults(), 0U);
  auto log = plan_->log();
  ASSERT_EQ(log.size(), 3U);
  EXPECT_EQ(log[0].what, call::add_bridge);
  EXPECT_TRUE(log[0].done);
  EXPECT_FALSE(log[0].faulted);
  plan_->reset_counters();
  EXPECT_EQ(plan_->calls(), 0U);
  EXPECT_TRUE(plan_->log().empty());
}

TEST_F(FaultyKernel, FailsTheNthCallOnceWithoutDoingIt) {
  plan_->add(rule(effect::fail, {}, 1));
  EXPECT_TRUE(works(kernel_->add_bridge(bridge("br0"))));
  EXPECT_TRUE(fails_with(ENOBUFS, kernel_->add_bridge(bridge("br1"))));
  EXPECT_FALSE(has("br1"));
  EXPECT_TRUE(works(kernel_->add_bridge(bridge("br1"))));
  EXPECT_EQ(plan_->faults(), 1U);
  EXPECT_FALSE(plan_->log()[1].done);
  EXPECT_TRUE(plan_->log()[1].faulted);
}

TEST_F(FaultyKernel, FailsForEverFromTheNthCallOn) {
  auto x = rule(effect::fail, {}, 1);
  x.for_ever = true;
  plan_->add(x);
  EXPECT_TRUE(works(kernel_->links()));
  for (int i = 0; i < 3; ++i)
    EXPECT_TRUE(fails_with(ENOBUFS, kernel_->links()));
  EXPECT_EQ(plan_->faults(), 3U);
  plan_->clear();
  EXPECT_TRUE(works(kernel_->links()));
}

TEST_F(FaultyKernel, FailsOneKindOfCall) {
  plan_->add(rule(effect::fail, call::set_link, 0));
  auto index = kernel_->add_bridge(bridge("br0")).value();
  EXPECT_TRUE(works(kernel_->links()));
  EXPECT_TRUE(fails_with(ENOBUFS, kernel_->set_link(index, {})));
  EXPECT_TRUE(works(kernel_->set_link(index, {})));
}

TEST_F(FaultyKernel, LosesTheReplyOfACallThatIsDone) {
  plan_->add(rule(effect::lose_reply, call::add_bridge));
  EXPECT_TRUE(fails_with(ENOBUFS, kernel_->add_bridge(bridge("br0"))));
  EXPECT_TRUE(has("br0"));
  EXPECT_TRUE(plan_->log()[0].done);
  // A call that fails by itself keeps its own error.
  plan_->add(rule(effect::lose_reply, call::add_bridge));
  EXPECT_TRUE(fails_with(EEXIST, kernel_->add_bridge(bridge("br0"))));
}

TEST_F(FaultyKernel, CrashesBeforeACall) {
  auto crashes = 0;
  plan_->on_crash([&] {
    ++crashes;
  });
  plan_->add(rule(effect::crash_before, call::add_bridge));
  auto died = kernel_->add_bridge(bridge("br0"));
  EXPECT_TRUE(fails_with(ec::internal, died));
  EXPECT_EQ(died.error().message, "add_bridge: simulated crash");
  EXPECT_TRUE(plan_->crashed());
  EXPECT_FALSE(has("br0"));
  EXPECT_EQ(crashes, 1);
}

TEST_F(FaultyKernel, CrashesAfterACall) {
  plan_->add(rule(effect::crash_after, call::add_bridge));
  EXPECT_TRUE(fails_with(ec::internal, kernel_->add_bridge(bridge("br0"))));
  EXPECT_TRUE(plan_->crashed());
  EXPECT_TRUE(has("br0"));
}

TEST_F(FaultyKernel, DoesNothingAfterACrashUntilRestarted) {
  auto there = kernel_->create_namespace("a").value();
  auto inside = kernel_->enter(there).value();
  plan_->add(rule(effect::crash_before));
  EXPECT_TRUE(fails_with(ec::internal, kernel_->links()));
  auto before = fingerprint(*world_);
  auto counted = plan_->calls();
  EXPECT_TRUE(fails_with(ec::internal, kernel_->remove_namespace("a")));
  EXPECT_TRUE(fails_with(ec::internal, inside->add_bridge(bridge("br0"))));
  EXPECT_EQ(fingerprint(*world_), before);
  EXPECT_EQ(plan_->calls(), counted);
  plan_->restart();
  EXPECT_FALSE(plan_->crashed());
  EXPECT_TRUE(works(kernel_->remove_namespace("a")));
}

TEST_F(FaultyKernel, EnteredKernelsObeyTheSamePlan) {
  auto there = kernel_->create_namespace("a").value();
  auto inside = kernel_->enter(there).value();
  plan_->add(rule(effect::fail, {}, 1));
  EXPECT_TRUE(works(inside->links()));
  EXPECT_TRUE(fails_with(ENOBUFS, inside->links()));
  EXPECT_TRUE(works(inside->links()));
}

TEST_F(FaultyKernel, MayLeaveReadsAlone) {
  plan_->mutations_only(true);
  plan_->add(rule(effect::fail));
  EXPECT_TRUE(works(kernel_->links()));
  EXPECT_EQ(plan_->calls(), 0U);
  EXPECT_TRUE(fails_with(ENOBUFS, kernel_->add_bridge(bridge("br0"))));
  EXPECT_EQ(plan_->calls(), 1U);
}

TEST_F(FaultyKernel, RunsAThirdPartyBeforeACall) {
  auto x = rule(effect::run, call::set_link);
  x.action = [this] {
    EXPECT_TRUE(works(world_->delete_link("", "br0")));
  };
  plan_->add(x);
  auto index = kernel_->add_bridge(bridge("br0")).value();
  EXPECT_TRUE(fails_with(ENODEV, kernel_->set_link(index, {})));
  EXPECT_EQ(plan_->faults(), 0U);
}

TEST_F(FaultyKernel, RunsAllActionsThenTheFirstFault) {
  auto order = std::string{};
  for (auto letter : {'a', 'b'}) {
    auto x = rule(effect::run);
    x.action = [&order, letter] {
      order += letter;
    };
    plan_->add(x);
  }
  plan_->add(rule(effect::fail));
  auto second = rule(effect::fail);
  second.os_error = EPERM;
  plan_->add(second);
  EXPECT_TRUE(fails_with(ENOBUFS, kernel_->links()));
  EXPECT_EQ(order, "ab");
  EXPECT_EQ(plan_->faults(), 1U);
}

TEST_F(FaultyKernel, FactoryWrapsAndPassesFailuresOn) {
  auto open = faulty_kernel_factory(simulated_kernel_factory(world_), plan_);
  auto made = open();
  ASSERT_TRUE(works(made));
  plan_->add(rule(effect::fail));
  EXPECT_TRUE(fails_with(ENOBUFS, (*made)->links()));
  auto broken = faulty_kernel_factory(
    []() -> result<std::unique_ptr<netns::kernel>> {
      return fail(os_failure(EMFILE, "open"));
    },
    plan_);
  EXPECT_TRUE(fails_with(EMFILE, broken()));
}

TEST_F(FaultyKernel, ReachesEveryCall) {
  auto x = rule(effect::fail);
  x.for_ever = true;
  plan_->add(x);
  auto& k = *kernel_;
  k.create_namespace("a").has_value();
  k.adopt_namespace("a", "").has_value();
  k.remove_namespace("a").has_value();
  k.find_namespace(1).has_value();
  k.namespaces().has_value();
  k.enter({}).has_value();
  k.add_bridge({}).has_value();
  k.add_veth({}).has_value();
  k.del_link(1).has_value();
  k.del_group(1).has_value();
  k.set_link(1, {}).has_value();
  k.set_port_flags(1, {}).has_value();
  k.link_index("a").has_value();
  k.link(1).has_value();
  k.links().has_value();
  k.statistics(1).has_value();
  k.add_address(1, {}).has_value();
  k.del_address(1, {}).has_value();
  k.addresses(1).has_value();
  k.all_addresses().has_value();
  k.announce({}).has_value();
  k.add_route({}).has_value();
  k.del_route({}).has_value();
  k.routes().has_value();
  k.link_routes(1).has_value();
  k.add_rule({}).has_value();
  k.del_rule({}).has_value();
  k.rules().has_value();
  k.routed_subnets().has_value();
  k.set_neighbour({}).has_value();
  k.del_neighbour({}).has_value();
  k.neighbours(1).has_value();
  k.neighbour(1, {}).has_value();
  k.set_sysctl(netns::sysctl::ipv6_disable, "lo", 0).has_value();
  k.read_sysctl(netns::sysctl::ipv6_disable, "lo").has_value();
  k.load_firewall({}, {}).has_value();
  k.change_elements("a", {}).has_value();
  k.list_elements("a").has_value();
  k.remove_firewall("a").has_value();
  k.forward_blockers().has_value();
  k.flush_conntrack({}).has_value();
  k.connections().has_value();
  k.bind_mac(1, {}).has_value();
  EXPECT_EQ(plan_->faults(), netns::call_count);
  for (size_t i = 0; i < netns::call_count; ++i)
    EXPECT_EQ(plan_->calls(static_cast<call>(i)), 1U)
      << to_string(static_cast<call>(i));
}

namespace {

/// Fails every call while it is armed, and counts how often it was asked.
class switched_source : public netns::fault_source {
public:
  switched_source() : fault_source{false} {
  }
  using fault_source::arm;

  verdict judge(call) override {
    ++asked;
    return {false, effect::fail, ENOBUFS, {}};
  }
  void crash() override {
  }

  int asked = 0;
};

} // namespace

TEST_F(FaultyKernel, AsksNobodyWhileNothingIsArmed) {
  auto source = std::make_shared<switched_source>();
  auto kernel
    = open_faulty_kernel(netns::open_simulated_kernel(world_), source);
  EXPECT_TRUE(works(kernel->add_bridge(bridge("br0"))));
  EXPECT_EQ(source->asked, 0);
  source->arm(true);
  EXPECT_EQ(kernel->links().error().os_error, ENOBUFS);
  EXPECT_EQ(source->asked, 1);
  source->arm(false);
  EXPECT_TRUE(works(kernel->links()));
  EXPECT_EQ(source->asked, 1);
}

TEST_F(FaultyKernel, ArmsKernelsThatWereEnteredBefore) {
  auto source = std::make_shared<switched_source>();
  auto kernel
    = open_faulty_kernel(netns::open_simulated_kernel(world_), source);
  auto inside = kernel->enter(*kernel->create_namespace("a"));
  ASSERT_TRUE(works(inside));
  EXPECT_TRUE(works((*inside)->links()));
  source->arm(true);
  EXPECT_FALSE((*inside)->links());
}

} // namespace troupe::test
