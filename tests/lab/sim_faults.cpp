#include "troupe/tests/lab/sim_faults.hpp"

#include "troupe/tests/lab/sim_host.hpp"

#include <cerrno>
#include <cstring>

namespace troupe::testing {

namespace {

/// A fault at a random place is one of so many calls or messages ahead.
constexpr uint64_t reach = 30;

unsigned nth_of(const fault_setting& x, uint64_t salt) {
  return x.nth >= 0 ? static_cast<unsigned>(x.nth)
                    : static_cast<unsigned>(salt % reach);
}

/// Actors with a thread of their own, which may hang. Between the others no
/// message gets lost.
constexpr const char* blocking_actors[]
  = {"driver", "firewall", "namespaces", "store"};

netns::fault_rule::effect kernel_effect(fault_kind what) {
  using effect = netns::fault_rule::effect;
  switch (what) {
  case fault_kind::kernel_lose_reply:
    return effect::lose_reply;
  case fault_kind::kernel_delay:
    return effect::run;
  case fault_kind::kernel_crash_before:
  case fault_kind::recovery_crash:
  case fault_kind::power_loss:
    return effect::crash_before;
  case fault_kind::kernel_crash_after:
    return effect::crash_after;
  default:
    return effect::fail;
  }
}

persistence::store_fault_plan::effect
store_effect(fault_kind what, uint64_t salt) {
  using effect = persistence::store_fault_plan::effect;
  switch (what) {
  case fault_kind::store_lose_reply:
    return effect::lose_reply;
  case fault_kind::store_crash_before:
    return effect::crash_before;
  case fault_kind::store_crash_after:
    return effect::crash_after;
  case fault_kind::store_power_loss: // The commit is there wholly or not.
    return salt % 2 == 0 ? effect::crash_before : effect::crash_after;
  default:
    return effect::fail;
  }
}

message_rule::effect message_effect(fault_kind what) {
  using effect = message_rule::effect;
  switch (what) {
  case fault_kind::message_lose_reply:
    return effect::lose_reply;
  case fault_kind::message_delay:
    return effect::delay;
  case fault_kind::message_reorder:
    return effect::reorder;
  case fault_kind::actor_kill:
    return effect::kill;
  default:
    return effect::drop;
  }
}

} // namespace

void fault_maker::plan_kernel(const fault_setting& x, uint64_t salt) {
  auto rule = netns::fault_rule{};
  rule.what = kernel_effect(x.fault);
  if (!x.on.empty())
    rule.on = netns::call_from_string(x.on);
  rule.nth = nth_of(x, salt);
  rule.for_ever = x.for_ever;
  const auto errors = injected_errors();
  rule.os_error = x.error.empty() ? errors[salt / reach % errors.size()]
                                  : error_named(x.error);
  rule.action = [this, what = x.fault, number = rule.os_error,
                 delay = std::chrono::milliseconds{x.delay_ms}] {
    target_.struck(what);
    if (number == ENOENT || number == ENODEV || number == EEXIST)
      target_.misled();
    const auto seen = target_.system().kernel_faults->log();
    target_.note(
      std::string{"after "}
      + (seen.empty() ? "no call" : std::string{to_string(seen.back().what)})
      + ": " + strerrorname_np(number));
    if (what == fault_kind::kernel_delay)
      target_.system().stall(delay);
    if (what == fault_kind::power_loss)
      target_.system().arm_power_loss();
  };
  target_.system().kernel_faults->add(std::move(rule));
}

/// A disk in trouble is slow first, so that commits come together.
void fault_maker::wait_for_a_batch() {
  auto rule = message_rule{};
  rule.what = message_rule::effect::delay;
  rule.receiver = "store";
  rule.nth = 0;
  rule.delay = std::chrono::milliseconds{1};
  target_.system().add(std::move(rule));
}

void fault_maker::plan_store(const fault_setting& x, uint64_t salt) {
  auto& plan = *target_.system().store_faults;
  plan.what = store_effect(x.fault, salt / reach);
  plan.nth = plan.seen
             + (x.nth >= 0 ? static_cast<unsigned>(x.nth)
                           : static_cast<unsigned>(salt % 3));
  plan.for_ever = x.for_ever;
  // A disk stays full for a while: the store tries the parts of a batch that
  // was refused once more.
  const auto lasts = x.fault == fault_kind::store_full
                     || x.fault == fault_kind::store_io_error;
  plan.times = lasts ? 1 + static_cast<unsigned>(salt / reach % 4) : 1;
  if (lasts)
    wait_for_a_batch();
  plan.why
    = error{ec::unavailable, "commit: injected: the disk is full", {}, ENOSPC};
  if (x.fault == fault_kind::store_io_error)
    plan.why
      = error{ec::internal, "commit: injected: input/output error", {}, EIO};
  if (x.fault == fault_kind::store_lose_reply) // What a deadline looks like.
    plan.why = error{ec::timeout, "commit: injected: no answer", {}, 0};
  plan.on_hit = [this, what = x.fault] {
    target_.struck(what);
    if (what == fault_kind::store_power_loss)
      target_.system().arm_power_loss();
  };
}

void fault_maker::plan_message(const fault_setting& x, uint64_t salt) {
  auto rule = message_rule{};
  rule.what = message_effect(x.fault);
  rule.receiver = x.on;
  const auto loses = x.fault == fault_kind::message_drop
                     || x.fault == fault_kind::message_lose_reply;
  if (loses && x.on.empty())
    rule.receiver = blocking_actors[salt / reach % std::size(blocking_actors)];
  rule.nth = nth_of(x, salt);
  rule.delay = std::chrono::milliseconds{x.delay_ms};
  rule.on_hit = [this, what = x.fault] {
    target_.struck(what);
  };
  target_.system().add(std::move(rule));
}

void fault_maker::strike(const fault_setting& x, uint64_t salt) {
  const auto kind = to_string(x.fault);
  if (kind.starts_with("kernel-"))
    return plan_kernel(x, salt);
  if (kind.starts_with("store-"))
    return plan_store(x, salt);
  if (kind.starts_with("message-") || x.fault == fault_kind::actor_kill)
    return plan_message(x, salt);
  switch (x.fault) {
  case fault_kind::process_crash:
    target_.struck(x.fault);
    return target_.system().crash();
  case fault_kind::recovery_crash:
    target_.system().crash();
    return plan_kernel(x, salt);
  case fault_kind::power_loss:
    return plan_kernel(x, salt);
  case fault_kind::client_slow:
    target_.struck(x.fault);
    return target_.system().advance(std::chrono::milliseconds{x.delay_ms});
  case fault_kind::client_dead:
    return target_.hang_up(salt);
  case fault_kind::client_repeat:
    return target_.repeat(salt);
  default:
    break;
  }
  if (auto done = interfere(target_.system(), x.fault, salt); !done.empty()) {
    target_.struck(x.fault);
    target_.note("third party: " + done);
  }
}

} // namespace troupe::testing
