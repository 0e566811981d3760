#include "troupe/actors/services/store.hpp"

#include <iterator>

namespace troupe {

namespace {

/// More waiting commits than this are refused: the disk does not keep up.
constexpr size_t queue_limit = 4'096;

} // namespace

/// A request that waits for the next transaction.
struct waiting_commit {
  std::vector<persistence::change> changes;
  promise<done> reply;
};

struct store_state {
  static inline const char* name = "store";

  result<std::unique_ptr<persistence::store>> store
    = fail(ec::unavailable, "open the store: not done yet");
  std::vector<waiting_commit> waiting;
};

namespace {

void answer(std::vector<waiting_commit>& batch, const result<void>& outcome) {
  for (auto& commit : batch)
    if (outcome)
      commit.reply.deliver(done{});
    else
      commit.reply.deliver(outcome.error());
}

void commit_one_by_one(persistence::store& store,
                       std::vector<waiting_commit>& batch) {
  for (auto& commit : batch)
    if (auto outcome = store.commit(commit.changes))
      commit.reply.deliver(done{});
    else
      commit.reply.deliver(std::move(outcome.error()));
}

void flush(store_state& state) {
  auto batch = std::exchange(state.waiting, {});
  if (batch.empty())
    return;
  auto& store = **state.store;
  if (batch.size() == 1)
    return answer(batch, store.commit(batch.front().changes));
  auto all = std::vector<persistence::change>{};
  for (const auto& commit : batch)
    all.insert(all.end(), commit.changes.begin(), commit.changes.end());
  if (auto outcome = store.commit(all))
    answer(batch, outcome);
  else
    commit_one_by_one(store, batch);
}

} // namespace

store_actor::behavior_type
store_behavior(store_actor::stateful_pointer<store_state> self,
               context_ptr context) {
  explain_exceptions(self);
  state_of(self).store = context->parts.open_store();
  return {
    [self](commit_changes& msg) -> caf::result<done> {
      auto& state = state_of(self);
      if (!state.store)
        return to_caf(state.store.error());
      if (state.waiting.size() >= queue_limit)
        return to_caf(
          error{ec::unavailable, "commit: the store is busy", "", 0});
      auto reply = promise<done>{self};
      if (state.waiting.empty())
        tell(store_actor{self}, flush_store{});
      state.waiting.push_back({std::move(msg.changes), reply});
      return reply;
    },
    [self](const flush_store&) -> caf::result<done> {
      flush(state_of(self));
      return done{};
    },
    [self](const load_records&) -> caf::result<loaded_records> {
      auto& state = state_of(self);
      if (!state.store)
        return to_caf(state.store.error());
      flush(state);
      auto records = (*state.store)->load();
      if (!records)
        return to_caf(std::move(records.error()));
      return loaded_records{std::move(*records), (*state.store)->opened()};
    },
  };
}

store_actor spawn_store(caf::actor_system& system, context_ptr context) {
  return spawn_blocking(system, context, store_behavior, context);
}

} // namespace troupe
