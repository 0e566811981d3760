#include "troupe/persistence/faulty_store.hpp"

namespace troupe::persistence {

namespace {

class faulty_store final : public store {
public:
  faulty_store(std::unique_ptr<store> behind,
               std::shared_ptr<store_fault_plan> plan)
    : behind_{std::move(behind)}, plan_{std::move(plan)} {
  }

  result<void> commit(std::span<const change> changes) override {
    using effect = store_fault_plan::effect;
    if (is_dead())
      return dead();
    auto n = plan_->seen++;
    auto hit
      = n >= plan_->nth && (plan_->for_ever || n - plan_->nth < plan_->times);
    auto what = hit ? plan_->what : effect::none;
    if (what != effect::none)
      note_fault();
    switch (what) {
    case effect::none:
      return behind_->commit(changes);
    case effect::fail:
      return fail(plan_->why);
    case effect::lose_reply:
      if (auto done = behind_->commit(changes); !done)
        return done;
      return fail(plan_->why);
    case effect::fail_runtime:
      if (commit_durable(changes))
        return {};
      return fail(plan_->why);
    case effect::crash_between:
      (void)commit_durable(changes);
      return crash();
    case effect::crash_before:
      return crash();
    case effect::crash_after:
      (void)behind_->commit(changes);
      return crash();
    }
    return dead();
  }

  result<snapshot> load() override {
    if (is_dead())
      return dead();
    return behind_->load();
  }

  const origin& opened() const override {
    return behind_->opened();
  }

private:
  /// @returns true if that was all, and is done.
  bool commit_durable(std::span<const change> changes) {
    auto durable = std::vector<change>{};
    for (const auto& x : changes)
      if (environment_of(x) == environment::durable)
        durable.push_back(x);
    auto done = behind_->commit(durable);
    return done && durable.size() == changes.size();
  }

  void note_fault() {
    ++plan_->faulted;
    if (plan_->on_hit)
      plan_->on_hit();
  }

  bool is_dead() const {
    return plan_->crashed || (plan_->is_dead && plan_->is_dead());
  }

  tl::unexpected<error> crash() {
    plan_->crashed = true;
    if (plan_->on_crash)
      plan_->on_crash();
    return dead();
  }

  static tl::unexpected<error> dead() {
    return fail(ec::internal, "use store: the process has crashed");
  }

  std::unique_ptr<store> behind_;
  std::shared_ptr<store_fault_plan> plan_;
};

} // namespace

std::unique_ptr<store> make_faulty(std::unique_ptr<store> behind,
                                   std::shared_ptr<store_fault_plan> plan) {
  return std::make_unique<faulty_store>(std::move(behind), std::move(plan));
}

} // namespace troupe::persistence
