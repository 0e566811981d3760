#include "troupe/actors/embedded/live_faults.hpp"

#include <utility>

namespace troupe {

namespace {

using effect = live_faults::effect;

class store_with_faults final : public persistence::store {
public:
  store_with_faults(std::unique_ptr<store> behind,
                    std::shared_ptr<live_faults> faults)
    : behind_{std::move(behind)}, faults_{std::move(faults)} {
  }

  result<void> commit(std::span<const persistence::change> changes) override {
    if (!faults_->armed())
      return behind_->commit(changes);
    auto why = error{};
    const auto what = faults_->judge_commit(why);
    const auto is_done = what != effect::fail && what != effect::crash_before;
    auto done = is_done ? behind_->commit(changes) : result<void>{};
    if (what == effect::crash_before || what == effect::crash_after)
      faults_->crash();
    if (done && what)
      return fail(std::move(why));
    return done;
  }

  result<persistence::snapshot> load() override {
    return behind_->load();
  }

  const persistence::origin& opened() const override {
    return behind_->opened();
  }

private:
  std::unique_ptr<store> behind_;
  std::shared_ptr<live_faults> faults_;
};

} // namespace

embedded_parts
with_faults(embedded_parts parts, std::shared_ptr<live_faults> faults) {
  parts.open_kernel
    = netns::faulty_kernel_factory(std::move(parts.open_kernel), faults);
  parts.open_store
    = [open = std::move(parts.open_store),
       faults
       = std::move(faults)]() -> result<std::unique_ptr<persistence::store>> {
    auto behind = open();
    if (!behind)
      return behind;
    return std::make_unique<store_with_faults>(std::move(*behind), faults);
  };
  return parts;
}

} // namespace troupe
