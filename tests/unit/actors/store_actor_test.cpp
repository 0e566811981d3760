#include "troupe/actors/services/store.hpp"
#include "troupe/tests/unit/drivers/fixture.hpp"

#include "scripted_system.hpp"

namespace troupe::test {

namespace {

struct store_actor_test : testing::Test {
  store_actor_test() {
    disk->before_commit = [this](auto changes) -> result<void> {
      batches.push_back(changes.size());
      for (const auto& x : changes)
        if (const auto* spec = std::get_if<network_spec>(&x))
          if (spec->name == "net-f")
            return fail(ec::unavailable, "commit: the disk is full");
      return {};
    };
    scripted.context->parts.open_store = [this] {
      return persistence::open_memory(disk);
    };
    store = scripted.keep(spawn_store(scripted.system, scripted.context));
    scripted.run();
  }

  std::shared_ptr<answer<done>> commit(char digit) {
    return scripted.ask<done>(store, commit_changes{{network_v4(digit)}});
  }

  std::shared_ptr<persistence::memory_disk> disk
    = std::make_shared<persistence::memory_disk>();
  std::vector<size_t> batches; ///< Number of changes of each commit.
  scripted_system scripted;
  store_actor store;
};

TEST_F(store_actor_test, WhatWaitsIsOneCommit) {
  auto a = commit('a');
  auto b = commit('b');
  auto c = commit('c');
  scripted.run();
  EXPECT_EQ(batches, (std::vector<size_t>{3}));
  EXPECT_EQ(a->text() + b->text() + c->text(), "okokok");
  EXPECT_EQ(disk->content.networks.size(), 3U);
}

TEST_F(store_actor_test, OneThatFailsDoesNotTakeOthersAlong) {
  auto a = commit('a');
  auto full = commit('f');
  auto b = commit('b');
  scripted.run();
  EXPECT_EQ(batches, (std::vector<size_t>{3, 1, 1, 1}));
  EXPECT_EQ(a->text(), "ok");
  EXPECT_EQ(full->text(), "unavailable: commit: the disk is full");
  EXPECT_EQ(b->text(), "ok");
  EXPECT_EQ(disk->content.networks.size(), 2U);
}

TEST_F(store_actor_test, LaterCommitsAreTheirOwn) {
  commit('a');
  scripted.run();
  commit('b');
  scripted.run();
  EXPECT_EQ(batches, (std::vector<size_t>{1, 1}));
}

TEST_F(store_actor_test, LoadSeesWhatWaits) {
  auto a = commit('a');
  auto loaded = scripted.ask<loaded_records>(store, load_records{});
  scripted.run();
  ASSERT_EQ(loaded->text(), "ok");
  EXPECT_EQ(loaded->value->records.networks.size(), 1U);
  EXPECT_EQ(loaded->value->origin.generation, 1U);
  EXPECT_EQ(a->text(), "ok");
}

TEST_F(store_actor_test, EveryRequestIsToldWhyItDidNotOpen) {
  scripted.context->parts.open_store
    = []() -> result<std::unique_ptr<persistence::store>> {
    return fail(ec::conflict, "open the store: another daemon has it");
  };
  auto broken = scripted.keep(spawn_store(scripted.system, scripted.context));
  auto committed
    = scripted.ask<done>(broken, commit_changes{{network_v4('a')}});
  auto loaded = scripted.ask<loaded_records>(broken, load_records{});
  scripted.run();
  const auto why = "conflict: open the store: another daemon has it";
  EXPECT_EQ(committed->text(), why);
  EXPECT_EQ(loaded->text(), why);
}

} // namespace

} // namespace troupe::test
