#include "troupe/persistence/faulty_store.hpp"

#include "fixture.hpp"

namespace troupe::persistence {

namespace {

result<void> commit(store& to, std::vector<change> changes) {
  return to.commit(changes);
}

/// Runs the same changes on both stores and compares what they hold.
class Stores : public store_test {};

} // namespace

TEST_F(Stores, HoldTheSameAfterTheSameChanges) {
  auto memory = open_memory(std::make_shared<memory_disk>());
  auto real = open();
  ASSERT_TRUE(real);
  auto random = std::mt19937{7};
  for (int i = 0; i < 150; ++i) {
    auto changes = std::vector<change>{};
    for (auto k = random() % 4; k-- > 0;) {
      auto n = static_cast<unsigned>(random() % 6);
      auto ephemeral = n % 2 == 0;
      auto all
        = std::vector<change>{make_network(n),
                              make_endpoint(n, ephemeral),
                              make_sandbox(n),
                              make_join(n),
                              remove_network_record{{id_text(n)}},
                              remove_endpoint_record{{id_text(n)}, ephemeral},
                              remove_sandbox_record{{id_text(n)}},
                              remove_join_record{{id_text(n)}}};
      changes.push_back(all[random() % all.size()]);
    }
    ASSERT_TRUE(memory->commit(changes));
    ASSERT_TRUE((*real)->commit(changes));
    auto by_id = [](const auto& x, const auto& y) {
      return x.id < y.id;
    };
    auto lhs = memory->load().value();
    auto rhs = (*real)->load().value();
    std::sort(lhs.networks.begin(), lhs.networks.end(), by_id);
    std::sort(lhs.endpoints.begin(), lhs.endpoints.end(), by_id);
    std::sort(rhs.endpoints.begin(), rhs.endpoints.end(), by_id);
    std::sort(lhs.sandboxes.begin(), lhs.sandboxes.end(), by_id);
    std::sort(lhs.joins.begin(), lhs.joins.end(),
              [](const auto& x, const auto& y) {
                return x.endpoint < y.endpoint;
              });
    ASSERT_TRUE(lhs.networks == rhs.networks);
    ASSERT_TRUE(lhs.endpoints == rhs.endpoints);
    ASSERT_TRUE(lhs.sandboxes == rhs.sandboxes);
    ASSERT_TRUE(lhs.joins == rhs.joins);
  }
}

TEST(MemoryStore, FindsItsDiskAgain) {
  auto disk = std::make_shared<memory_disk>();
  {
    auto store = open_memory(disk);
    EXPECT_TRUE(store->opened().durable_is_new);
    ASSERT_TRUE(commit(*store, {make_network(1)}));
  }
  auto store = open_memory(disk);
  EXPECT_FALSE(store->opened().durable_is_new);
  EXPECT_EQ(store->opened().generation, 2u);
  EXPECT_EQ(store->load()->networks.size(), 1u);
}

TEST(MemoryStore, RefusesWhatTheRealOneRefuses) {
  auto store = open_memory(std::make_shared<memory_disk>());
  auto done = commit(*store, {make_network(1), network_spec{}});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ec::invalid_argument);
  EXPECT_TRUE(store->load()->networks.empty());
}

TEST(MemoryStore, LetsItsDiskRefuse) {
  auto disk = std::make_shared<memory_disk>();
  auto store = open_memory(disk);
  disk->before_commit = [](std::span<const change>) -> result<void> {
    return fail(ec::unavailable, "full");
  };
  EXPECT_FALSE(commit(*store, {make_network(1)}));
  EXPECT_TRUE(disk->content.networks.empty());
}

// -- faults ------------------------------------------------------------------

namespace {

/// Commits three networks one by one behind a plan.
struct faulty_run {
  explicit faulty_run(store_fault_plan how) {
    *plan = std::move(how);
    auto store = make_faulty(open_memory(disk), plan);
    for (unsigned n = 0; n < 3; ++n) {
      auto done = commit(*store, {make_network(n)});
      answers += done ? 'y' : 'n';
      if (!done)
        why = done.error();
    }
  }

  std::shared_ptr<memory_disk> disk = std::make_shared<memory_disk>();
  std::shared_ptr<store_fault_plan> plan = std::make_shared<store_fault_plan>();
  std::string answers;
  error why;
};

} // namespace

TEST(FaultyStore, CountsOnlyWithoutAFault) {
  auto run = faulty_run{{}};
  EXPECT_EQ(run.answers, "yyy");
  EXPECT_EQ(run.plan->seen, 3u);
  EXPECT_EQ(run.plan->faulted, 0u);
}

TEST(FaultyStore, FailsTheNthCommitOnce) {
  auto run = faulty_run{{.what = store_fault_plan::effect::fail, .nth = 1}};
  EXPECT_EQ(run.answers, "yny");
  EXPECT_EQ(run.disk->content.networks.size(), 2u);
  EXPECT_EQ(run.why.code, ec::unavailable);
}

TEST(FaultyStore, FailsForEver) {
  auto run = faulty_run{
    {.what = store_fault_plan::effect::fail, .nth = 1, .for_ever = true}};
  EXPECT_EQ(run.answers, "ynn");
  EXPECT_EQ(run.disk->content.networks.size(), 1u);
}

TEST(FaultyStore, LosesAReply) {
  auto run
    = faulty_run{{.what = store_fault_plan::effect::lose_reply, .nth = 0}};
  EXPECT_EQ(run.answers, "nyy");
  EXPECT_EQ(run.disk->content.networks.size(), 3u);
}

TEST(FaultyStore, CrashesBeforeOrAfterACommit) {
  auto told = 0;
  auto run = faulty_run{
    {.what = store_fault_plan::effect::crash_before, .nth = 1, .on_crash = [&] {
       ++told;
     }}};
  EXPECT_EQ(run.answers, "ynn");
  EXPECT_EQ(run.disk->content.networks.size(), 1u);
  EXPECT_EQ(told, 1);
  auto after
    = faulty_run{{.what = store_fault_plan::effect::crash_after, .nth = 1}};
  EXPECT_EQ(after.answers, "ynn");
  EXPECT_EQ(after.disk->content.networks.size(), 2u);
}

TEST(FaultyStore, DiesWithTheProcess) {
  auto run = faulty_run{{.is_dead = [] {
    return true;
  }}};
  EXPECT_EQ(run.answers, "nnn");
  EXPECT_EQ(run.plan->seen, 0u);
}

} // namespace troupe::persistence
