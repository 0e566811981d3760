#include "troupe/actors/embedded/live_faults.hpp"

#include "troupe/actors/api/log.hpp"
#include "troupe/config/model/id.hpp"
#include "troupe/config/model/random.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>

#include <unistd.h>

namespace troupe {

namespace {

using effect = live_faults::effect;

constexpr int default_delay_ms = 5'000;

// One step of splitmix64.
uint64_t next_random(uint64_t& state) {
  state += 0x9e3779b97f4a7c15U;
  auto x = state;
  x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27U)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31U);
}

// Short enough to be typed again.
uint64_t draw_seed() {
  auto bytes = std::array<uint8_t, 4>{};
  fill_random(bytes);
  auto result = uint64_t{0};
  for (auto x : bytes)
    result = result << 8U | x;
  return result;
}

} // namespace

live_faults::live_faults(std::function<void()> die)
  : fault_source{false}, die_{std::move(die)} {
}

void live_faults::kill_this_process() {
  (void)::kill(::getpid(), SIGKILL);
  for (;;)
    (void)::pause();
}

// -- what is asked for --------------------------------------------------------

result<fault_list> live_faults::add(const add_faults& what) {
  if (what.faults.empty())
    return fail(ec::invalid_argument, "add faults: there are none");
  auto kinds = std::vector<const row*>{};
  for (const auto& x : what.faults) {
    auto kind = check(x);
    if (!kind)
      return fail(with_context(std::move(kind.error()),
                               "faults[" + std::to_string(kinds.size()) + "]"));
    kinds.push_back(*kind);
  }
  auto guard = std::lock_guard{mutex_};
  const auto armed = std::ranges::count_if(rules_, [](const rule& x) {
    return x.status.armed;
  });
  if (static_cast<size_t>(armed) + kinds.size() > max_armed)
    return fail(ec::unavailable,
                "add faults: more than " + std::to_string(max_armed)
                  + " would be armed",
                "troupe fault clear takes them away");
  auto added = fault_list{};
  for (size_t i = 0; i < kinds.size(); ++i) {
    auto fresh = rule{};
    fresh.kind = kinds[i];
    fresh.status.id = ++last_id_;
    fresh.status.spec = what.faults[i];
    fresh.status.seed = what.seed ? *what.seed : draw_seed();
    // Faults of one request draw different numbers.
    fresh.random = fresh.status.seed + i;
    added.faults.push_back(fresh.status);
    rules_.push_back(std::move(fresh));
  }
  forget_spent();
  update_armed();
  return added;
}

fault_list live_faults::list() const {
  auto guard = std::lock_guard{mutex_};
  auto result = fault_list{};
  for (const auto& x : rules_)
    result.faults.push_back(x.status);
  return result;
}

result<void> live_faults::remove(std::string_view id) {
  auto number = uint64_t{0}; // Which no fault has.
  const auto* end = id.data() + id.size();
  if (std::from_chars(id.data(), end, number).ptr != end)
    number = 0;
  auto guard = std::lock_guard{mutex_};
  auto found = std::ranges::find_if(rules_, [&](const rule& x) {
    return x.status.id == number;
  });
  if (found == rules_.end())
    return fail(ec::not_found, "fault " + quoted(id) + ": there is none",
                "troupe fault ls shows them");
  rules_.erase(found);
  ++clearings_;
  update_armed();
  cleared_.notify_all();
  return {};
}

void live_faults::clear() {
  auto guard = std::lock_guard{mutex_};
  rules_.clear();
  ++clearings_;
  update_armed();
  cleared_.notify_all();
}

fault_log live_faults::log() const {
  auto guard = std::lock_guard{mutex_};
  return {{log_.begin(), log_.end()}};
}

live_faults::counters live_faults::count() const {
  auto guard = std::lock_guard{mutex_};
  auto armed = std::ranges::count_if(rules_, [](const rule& x) {
    return x.status.armed;
  });
  return {static_cast<size_t>(armed), total_hits_};
}

// The oldest ones; those that are armed stay.
void live_faults::forget_spent() {
  while (rules_.size() > max_armed) {
    auto oldest = std::ranges::find_if(rules_, [](const rule& x) {
      return !x.status.armed;
    });
    if (oldest == rules_.end())
      return;
    rules_.erase(oldest);
  }
}

void live_faults::update_armed() {
  arm(std::ranges::any_of(rules_, [](const rule& x) {
    return x.status.armed;
  }));
}

// -- what happens -------------------------------------------------------------

bool live_faults::hits(rule& x) {
  const auto& spec = x.status.spec;
  const auto number = x.status.seen++;
  if (spec.per_mille)
    return next_random(x.random) % 1'000
           < static_cast<uint64_t>(*spec.per_mille);
  const auto nth = static_cast<uint64_t>(std::max(spec.nth.value_or(0), 0));
  if (number == nth && !spec.for_ever)
    x.status.armed = false;
  return number == nth || (spec.for_ever && number > nth);
}

void live_faults::note(const rule& x, std::string_view place) {
  using namespace std::chrono;
  auto hit = fault_hit{};
  hit.sequence = ++total_hits_;
  hit.time_ms
    = duration_cast<milliseconds>(system_clock::now().time_since_epoch())
        .count();
  hit.id = x.status.id;
  hit.fault = x.kind->name;
  hit.on = place;
  if (x.kind->crashes())
    hit.effect = "crash";
  else if (x.kind->what == effect::run)
    hit.effect
      = std::to_string(x.status.spec.delay_ms.value_or(default_delay_ms))
        + " ms";
  else if (x.kind->has_errno())
    hit.effect = x.status.spec.error.empty() ? "EIO" : x.status.spec.error;
  else
    hit.effect = x.kind->what == effect::fail ? "refused" : "reply lost";
  troupe::log().warn("injected fault {}: {} on {} ({})", hit.id, hit.fault,
                     hit.on, hit.effect);
  if (x.kind->crashes())
    troupe::log().flush(); // There is no later.
  log_.push_back(std::move(hit));
  if (log_.size() > max_log)
    log_.pop_front();
}

// The first fault that hits is taken, but every delay. `before`: the request
// has only arrived. `by_any`: faults without a place strike here.
live_faults::strike
live_faults::strike_at(fault_seam seam, std::string_view place, bool before,
                       bool by_any) {
  auto result = strike{};
  auto guard = std::lock_guard{mutex_};
  result.clearings = clearings_;
  for (auto& x : rules_) {
    const auto& spec = x.status.spec;
    const auto early = x.kind->what == effect::crash_before;
    if (!x.status.armed || x.kind->seam != seam
        || (seam == fault_seam::request && early != before)
        || (spec.on.empty() ? !by_any : spec.on != place))
      continue;
    if ((result.what && x.kind->what != effect::run) || !hits(x))
      continue;
    ++x.status.hits;
    note(x, place);
    if (x.kind->what == effect::run) {
      result.delay
        += std::chrono::milliseconds{spec.delay_ms.value_or(default_delay_ms)};
      continue;
    }
    result.what = x.kind->what;
    result.kind = x.kind;
    result.os_error = spec.error.empty() ? EIO : netns::error_named(spec.error);
  }
  update_armed();
  return result;
}

// A fault that was cleared after it struck delays nothing any more.
void live_faults::wait(const strike& x) {
  auto guard = std::unique_lock{mutex_};
  cleared_.wait_for(guard, x.delay, [this, &x] {
    return clearings_ != x.clearings;
  });
}

netns::fault_source::verdict live_faults::judge(netns::call what) {
  auto hit = strike_at(fault_seam::kernel, netns::to_string(what), false, true);
  auto result = verdict{};
  result.effect = hit.what;
  result.os_error = hit.os_error;
  if (hit.delay.count() > 0)
    result.actions.emplace_back([this, hit] {
      wait(hit);
    });
  return result;
}

void live_faults::crash() {
  troupe::log().flush();
  die_();
}

std::optional<effect> live_faults::judge_commit(error& why) {
  auto hit = strike_at(fault_seam::store, "commit", false, true);
  if (hit.delay.count() > 0)
    wait(hit);
  if (!hit.what)
    return std::nullopt;
  if (hit.kind->name == "store-full")
    why = {ec::unavailable, "commit: injected: the disk is full", {}, ENOSPC};
  else if (hit.kind->name == "store-io-error")
    why = {ec::internal, "commit: injected: input/output error", {}, EIO};
  else // What a deadline that passes looks like.
    why = {ec::timeout, "commit: injected: no answer", {}, 0};
  return hit.what;
}

void live_faults::on_request(std::string_view operation, bool mutates) {
  if (armed() && strike_at(fault_seam::request, operation, true, mutates).what)
    crash();
}

bool live_faults::on_reply(std::string_view operation, bool mutates) {
  if (!armed())
    return false;
  auto hit = strike_at(fault_seam::request, operation, false, mutates);
  if (hit.what == effect::crash_after)
    crash();
  return hit.what == effect::lose_reply;
}

} // namespace troupe
