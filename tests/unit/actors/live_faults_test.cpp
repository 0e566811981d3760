#include "troupe/actors/live_faults.hpp"
#include "troupe/actors/log.hpp"
#include "troupe/netns/simulated_kernel.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <thread>

namespace troupe::test {

namespace {

using netns::call;

fault_spec
fault(std::string what, std::string on = {}, std::string error = {}) {
  auto x = fault_spec{};
  x.fault = std::move(what);
  x.on = std::move(on);
  x.error = std::move(error);
  return x;
}

netns::bridge_request bridge(const std::string& name) {
  auto x = netns::bridge_request{};
  x.name = name;
  return x;
}

persistence::change a_network(char digit) {
  auto x = network_spec{};
  x.id.value = std::string(64, digit);
  x.name = std::string{"n"} + digit;
  return x;
}

/// A kernel and a store in memory behind faults; a crash only counts.
class LiveFaults : public ::testing::Test {
protected:
  void SetUp() override {
    log().set_level(spdlog::level::err);
    auto parts = embedded_parts{};
    parts.open_kernel = [this] {
      return result<std::unique_ptr<netns::kernel>>{
        netns::open_simulated_kernel(world_)};
    };
    parts.open_store = [this] {
      return result<std::unique_ptr<persistence::store>>{
        persistence::open_memory(disk_)};
    };
    parts = with_faults(std::move(parts), faults_);
    kernel_ = std::move(*parts.open_kernel());
    store_ = std::move(*parts.open_store());
  }

  result<fault_list>
  add(std::vector<fault_spec> xs, std::optional<uint64_t> seed = {}) {
    return faults_->add({std::move(xs), seed});
  }

  result<void> commit(char digit) {
    const auto change = a_network(digit);
    return store_->commit({&change, 1});
  }

  // The message of a refusal.
  std::string refused(const fault_spec& x) {
    auto added = add({fault("kernel-fail"), x});
    EXPECT_FALSE(added) << x.fault;
    EXPECT_TRUE(faults_->list().faults.empty()) << "all or none";
    return added ? "" : added.error().message + "; " + added.error().hint;
  }

  int crashes_ = 0;
  std::shared_ptr<netns::simulated_world> world_
    = std::make_shared<netns::simulated_world>();
  std::shared_ptr<persistence::memory_disk> disk_
    = std::make_shared<persistence::memory_disk>();
  std::shared_ptr<live_faults> faults_ = std::make_shared<live_faults>([this] {
    ++crashes_;
  });
  std::unique_ptr<netns::kernel> kernel_;
  std::unique_ptr<persistence::store> store_;
};

} // namespace

TEST_F(LiveFaults, AreArmedOnlyWhileOneCanStrike) {
  EXPECT_FALSE(faults_->armed());
  ASSERT_TRUE(add({fault("kernel-fail", "add_bridge", "ENOBUFS")}));
  EXPECT_TRUE(faults_->armed());
  EXPECT_TRUE(kernel_->links());
  EXPECT_TRUE(faults_->armed());
  EXPECT_EQ(kernel_->add_bridge(bridge("br0")).error().os_error, ENOBUFS);
  EXPECT_FALSE(faults_->armed()) << "it struck once and is spent";
  EXPECT_TRUE(kernel_->add_bridge(bridge("br0")));
}

TEST_F(LiveFaults, LoseTheReplyOfACallThatIsDone) {
  ASSERT_TRUE(add({fault("kernel-lose-reply", "add_bridge", "ETIMEDOUT")}));
  EXPECT_EQ(kernel_->add_bridge(bridge("br0")).error().os_error, ETIMEDOUT);
  EXPECT_TRUE(kernel_->link_index("br0"));
}

TEST_F(LiveFaults, CrashBeforeAndAfterACall) {
  ASSERT_TRUE(add({fault("kernel-crash-before", "add_bridge")}));
  EXPECT_FALSE(kernel_->add_bridge(bridge("br0")));
  EXPECT_EQ(crashes_, 1);
  EXPECT_FALSE(kernel_->link_index("br0"));
  ASSERT_TRUE(add({fault("kernel-crash-after", "add_bridge")}));
  EXPECT_FALSE(kernel_->add_bridge(bridge("br0")));
  EXPECT_EQ(crashes_, 2);
  EXPECT_TRUE(kernel_->link_index("br0"));
}

TEST_F(LiveFaults, StrikeTheNthAndForEver) {
  auto x = fault("kernel-fail", "links");
  x.nth = 1;
  x.for_ever = true;
  ASSERT_TRUE(add({x}));
  EXPECT_TRUE(kernel_->links());
  EXPECT_TRUE(kernel_->namespaces()) << "another call";
  EXPECT_FALSE(kernel_->links());
  EXPECT_EQ(kernel_->links().error().os_error, EIO);
  EXPECT_TRUE(faults_->armed());
  faults_->clear();
  EXPECT_TRUE(kernel_->links());
}

TEST_F(LiveFaults, StrikeByChanceAsTheSeedSays) {
  auto x = fault("kernel-fail", "links");
  x.per_mille = 300;
  auto pattern = [&](uint64_t seed) {
    auto text = std::string{};
    EXPECT_TRUE(add({x}, seed));
    for (auto i = 0; i < 200; ++i)
      text += kernel_->links() ? '.' : 'x';
    faults_->clear();
    return text;
  };
  const auto first = pattern(42);
  EXPECT_EQ(pattern(42), first);
  EXPECT_NE(pattern(43), first);
  const auto hits = std::ranges::count(first, 'x');
  EXPECT_GT(hits, 30);
  EXPECT_LT(hits, 90);
}

TEST_F(LiveFaults, DelayUntilTheyAreCleared) {
  auto x = fault("kernel-delay", "links");
  x.delay_ms = 600'000;
  ASSERT_TRUE(add({x}));
  auto done = std::atomic<bool>{false};
  auto caller = std::thread{[&] {
    EXPECT_TRUE(kernel_->links());
    done = true;
  }};
  while (faults_->count().hits == 0)
    std::this_thread::yield();
  EXPECT_FALSE(done);
  faults_->clear(); // Whether the caller waits already or is about to.
  caller.join();
}

TEST_F(LiveFaults, StrikeCommits) {
  ASSERT_TRUE(add({fault("store-full"), fault("store-io-error"),
                   fault("store-lose-reply"), fault("store-crash-before"),
                   fault("store-crash-after")}));
  EXPECT_EQ(commit('1').error().code, ec::unavailable);
  EXPECT_EQ(commit('2').error().code, ec::internal);
  EXPECT_EQ(commit('3').error().code, ec::timeout);
  (void)commit('4');
  EXPECT_EQ(crashes_, 1);
  (void)commit('5');
  EXPECT_EQ(crashes_, 2);
  EXPECT_TRUE(commit('6'));
  auto names = std::string{};
  for (const auto& x : disk_->content.networks)
    names += x.name + " ";
  EXPECT_EQ(names, "n3 n5 n6 ");
}

TEST_F(LiveFaults, StrikeRequestsOnTheirWayInAndOut) {
  ASSERT_TRUE(add({fault("request-lose-reply", "attach_sandbox"),
                   fault("request-crash-before"),
                   fault("request-crash-after", "get_status")}));
  faults_->on_request("get_status", false);
  EXPECT_EQ(crashes_, 0) << "without a place only what changes something";
  faults_->on_request("join_endpoint", true);
  EXPECT_EQ(crashes_, 1);
  EXPECT_FALSE(faults_->on_reply("join_endpoint", true));
  EXPECT_TRUE(faults_->on_reply("attach_sandbox", true));
  EXPECT_FALSE(faults_->on_reply("attach_sandbox", true));
  (void)faults_->on_reply("get_status", false);
  EXPECT_EQ(crashes_, 2);
}

TEST_F(LiveFaults, AreListedAndLogged) {
  auto chance = fault("kernel-fail", "links", "ENOBUFS");
  chance.per_mille = 1'000;
  auto added = add({chance, fault("store-full")}, 7);
  ASSERT_TRUE(added);
  EXPECT_EQ(added->faults.at(1).id, 2U);
  EXPECT_FALSE(kernel_->links());
  EXPECT_FALSE(commit('1'));
  const auto all = faults_->list().faults;
  ASSERT_EQ(all.size(), 2U);
  EXPECT_TRUE(all[0].armed);
  EXPECT_EQ(all[0].seed, 7U);
  EXPECT_FALSE(all[1].armed);
  EXPECT_EQ(all[1].hits, 1U);
  const auto log = faults_->log().hits;
  ASSERT_EQ(log.size(), 2U);
  EXPECT_EQ(log[0].on, "links");
  EXPECT_EQ(log[0].effect, "ENOBUFS");
  EXPECT_EQ(log[1].on, "commit");
  EXPECT_EQ(log[1].sequence, 2U);
  EXPECT_TRUE(faults_->remove("1"));
  EXPECT_FALSE(faults_->armed());
  for (const auto* id : {"1", "", "x", "2x", "-1", "99999999999999999999"})
    EXPECT_EQ(faults_->remove(id).error().code, ec::not_found) << id;
}

TEST_F(LiveFaults, AreBoundedInNumberAndMemory) {
  for (size_t i = 0; i < live_faults::max_armed; ++i)
    ASSERT_TRUE(add({fault("kernel-fail", "links")}));
  EXPECT_EQ(add({fault("kernel-fail")}).error().code, ec::unavailable);
  for (size_t i = 0; i < live_faults::max_armed; ++i)
    EXPECT_FALSE(kernel_->links());
  ASSERT_TRUE(add({fault("kernel-fail")})) << "the others are spent";
  EXPECT_EQ(faults_->list().faults.size(), live_faults::max_armed);
  faults_->clear();
  auto always = fault("kernel-fail", "links");
  always.for_ever = true;
  ASSERT_TRUE(add({always}));
  for (size_t i = 0; i < live_faults::max_log + 10; ++i)
    (void)kernel_->links();
  EXPECT_EQ(faults_->log().hits.size(), live_faults::max_log);
}

TEST_F(LiveFaults, RefuseWhatMakesNoSense) {
  auto has = [](const std::string& text, const std::string& part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  has(refused(fault("kernel-fial")), "\"kernel-fail\"");
  has(refused(fault("")), "faults[1]: fault: unknown");
  has(refused(fault("message-drop")), "simulator only");
  has(refused(fault("kernel-fail", "add_vteh")), "\"add_veth\"");
  has(refused(fault("kernel-fail", "commit")), "on: unknown");
  has(refused(fault("store-full", "add_veth")), "on: unknown");
  has(refused(fault("request-lose-reply", "add_veth")), "on: unknown");
  has(refused(fault("kernel-fail", "", "ENOBUFFS")), "\"ENOBUFS\"");
  has(refused(fault("store-full", "", "ENOBUFS")), "leave it out");
  has(refused(fault("kernel-crash-after", "", "EIO")), "leave it out");
  auto x = fault("kernel-fail");
  x.nth = 0;
  x.per_mille = 10;
  has(refused(x), "not together with nth");
  x = fault("kernel-fail");
  x.nth = -2;
  has(refused(x), "nth: must be from -1");
  x = fault("kernel-fail");
  x.per_mille = 1'001;
  has(refused(x), "per-mille: must be");
  x = fault("kernel-fail");
  x.delay_ms = 10;
  has(refused(x), "no delay");
  x = fault("kernel-delay");
  x.delay_ms = 600'001;
  has(refused(x), "delay-ms: must be");
  EXPECT_FALSE(add({}));
}

TEST_F(LiveFaults, KnowEveryPlaceAndStrikeEveryCall) {
  const auto points = live_faults::points();
  auto names = std::vector<std::string>{};
  for (const auto& x : points.points)
    names.push_back(x.name);
  for (size_t i = 0; i < netns::call_count; ++i) {
    const auto name = std::string{to_string(static_cast<call>(i))};
    ASSERT_EQ(names.at(i), name);
    ASSERT_TRUE(add({fault("kernel-fail", name)}));
    EXPECT_TRUE(faults_->judge(static_cast<call>(i)).effect) << name;
  }
  EXPECT_EQ(names.at(netns::call_count), "commit");
  EXPECT_EQ(std::ranges::count(names, "attach_sandbox"), 1);
  EXPECT_EQ(std::ranges::count(points.errors, "ENOBUFS"), 1);
  for (const auto& x : points.points) {
    const auto* mine = x.name == "commit" ? "store-crash-after"
                       : &x < &points.points[netns::call_count]
                         ? "kernel-fail"
                         : "request-lose-reply";
    EXPECT_EQ(std::ranges::count(x.faults, mine), 1) << x.name;
  }
}

} // namespace troupe::test
