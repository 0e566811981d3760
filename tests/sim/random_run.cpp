#include "troupe/tests/sim/random_run.hpp"

#include "troupe/testing/invariants.hpp"

#include <algorithm>
#include <array>
#include <cerrno>

namespace troupe::sim {

namespace {

constexpr size_t clients = 3;
constexpr size_t requests_per_run = 40;

constexpr std::array errors{EPERM,  EINTR,  EAGAIN, ENOMEM,  EBUSY,
                            EINVAL, EMFILE, ENOSPC, ENOBUFS, ETIMEDOUT};

} // namespace

random_run::random_run(uint64_t seed) : rng_{seed} {
}

// -- clients ------------------------------------------------------------------

void random_run::send() {
  const auto number = next_number_++;
  auto what = any_request();
  auto victims = victims_of(what);
  note("send " + std::to_string(number) + ": " + to_string(what));
  for (const auto& id : victims)
    acknowledged_.erase(id);
  ++counts_.requests;
  in_work_.emplace(number, pending{what, std::move(victims)});
  system_.submit(std::move(what), [=, this, born = life_](result<reply> x) {
    if (born == life_ && !system_.crashed())
      receive(number, std::move(x));
  });
}

void random_run::receive(uint64_t number, result<reply> x) {
  auto done = in_work_.extract(number);
  note("reply " + std::to_string(number) + ": "
       + (x ? "done" : x.error().message));
  if (done.empty()) {
    note("WRONG: nobody waits for this reply");
    return;
  }
  ++(x ? counts_.done : counts_.refused);
  if (!x)
    return;
  acknowledge(*x);
  const auto& what = done.mapped().what;
  if (std::holds_alternative<remove_network>(what)
      || std::holds_alternative<remove_sandbox>(what)
      || std::holds_alternative<remove_endpoint>(what)
      || std::holds_alternative<detach_sandbox>(what))
    removed_.merge(done.mapped().may_vanish);
}

void random_run::acknowledge(const reply& x) {
  if (const auto* made = std::get_if<network_status>(&x))
    acknowledged_[made->spec.id.value] = "network " + made->spec.name;
  else if (const auto* box = std::get_if<sandbox_status>(&x))
    acknowledged_[box->spec.id.value] = "sandbox " + box->spec.name;
  else if (const auto* end = std::get_if<endpoint_status>(&x)) {
    if (end->spec.ephemeral)
      acknowledged_[end->spec.id.value]
        = "attached " + end->network_name + "/" + end->sandbox_name;
    else
      acknowledged_[end->spec.id.value]
        = "endpoint " + end->network_name + "/" + end->spec.name;
  }
  // A removal that was sent meanwhile may already have taken it.
  for (const auto& [number, other] : in_work_)
    for (const auto& id : victims_of(other.what))
      acknowledged_.erase(id);
}

// -- adversaries --------------------------------------------------------------

void random_run::plan_fault() {
  using effect = netns::fault_rule::effect;
  constexpr std::array effects{effect::fail, effect::fail, effect::lose_reply,
                               effect::crash_before, effect::crash_after};
  ++counts_.faults;
  if (chance(25)) {
    using store_effect = persistence::store_fault_plan::effect;
    constexpr std::array store_effects{store_effect::fail,
                                       store_effect::crash_before,
                                       store_effect::crash_after};
    auto& plan = *system_.store_faults;
    plan.what = store_effects[pick(store_effects.size())];
    plan.nth = plan.seen + static_cast<unsigned>(pick(3));
    return note("fault: store " + std::to_string(static_cast<int>(plan.what)));
  }
  auto rule = netns::fault_rule{};
  rule.what = effects[pick(effects.size())];
  rule.nth = static_cast<unsigned>(pick(30));
  rule.os_error = errors[pick(errors.size())];
  note("fault: kernel " + std::to_string(static_cast<int>(rule.what)) + " at "
       + std::to_string(rule.nth) + " errno " + std::to_string(rule.os_error));
  system_.kernel_faults->add(rule);
}

/// Somebody else on the host damages something of ours.
void random_run::interfere() {
  auto& world = *system_.world;
  const auto view = world.view();
  auto ours = std::vector<std::string>{};
  for (const auto& link : view.namespaces.front().links)
    if (link.info.group == system_.owner().link_group())
      ours.push_back(link.info.name);
  auto pins = std::vector<std::string>{};
  for (const auto& x : system_.disk->content.sandboxes)
    if (x.netns_path.empty() && view.pins.contains(x.id.brief()))
      pins.push_back(x.id.brief());
  ++counts_.interferences;
  const auto link = ours.empty() ? std::string{} : ours[pick(ours.size())];
  const auto pin = pins.empty() ? std::string{} : pins[pick(pins.size())];
  auto change = netns::link_change{};
  switch (pick(6)) {
  case 0:
    note("third party: delete " + link);
    return (void)world.delete_link("", link);
  case 1:
    note("third party: set down " + link);
    change.up = false;
    return (void)world.change_link("", link, change);
  case 2:
    note("third party: flush addresses of " + link);
    return (void)world.flush_addresses("", link);
  case 3:
    note("third party: unmount " + pin);
    return (void)world.unmount_pin(pin);
  case 4:
    note("third party: flush routes in " + pin);
    return pin.empty() ? void() : (void)world.flush_routes(pin);
  default:
    note("third party: delete eth0 in " + pin);
    return pin.empty() ? void() : (void)world.delete_link(pin, "eth0");
  }
}

void random_run::restart() {
  ++life_;
  ++counts_.crashes;
  in_work_.clear();
  for (auto tries = 0; tries < 5; ++tries) {
    auto started = system_.start();
    note("start: " + (started ? "ready" : started.error().message));
    if (started && !system_.crashed())
      return;
    system_.heal();
  }
}

// -- checks -------------------------------------------------------------------

std::string random_run::check_acknowledged() {
  auto present = std::set<std::string>{};
  const auto& records = system_.disk->content;
  for (const auto& x : records.networks)
    present.insert(x.id.value);
  for (const auto& x : records.endpoints)
    present.insert(x.id.value);
  for (const auto& x : records.sandboxes)
    present.insert(x.id.value);
  auto wrong = std::string{};
  for (const auto& [id, text] : acknowledged_)
    if (!present.contains(id))
      wrong += "  acknowledged but not there: " + text + " " + id + "\n";
  for (const auto& id : removed_)
    if (present.contains(id))
      wrong += "  removed but there: " + id + "\n";
  return wrong;
}

std::string random_run::be_quiet() {
  system_.heal();
  if (system_.crashed())
    restart();
  system_.run();
  for (auto i = 0; i < 400 && !in_work_.empty(); ++i)
    system_.advance(std::chrono::seconds{1});
  auto wrong = std::string{};
  for (const auto& [number, x] : in_work_)
    wrong += "  no reply: " + to_string(x.what) + "\n";
  system_.advance(std::chrono::seconds{2});
  if (chance(50)) {
    note("quiet: repair");
    if (auto repaired = system_.call(run_doctor{true}); !repaired)
      wrong += "  repair: " + repaired.error().message + "\n";
  } else {
    note("quiet: restart");
    restart();
  }
  wrong += testing::check_all(system_);
  wrong += check_acknowledged();
  return wrong;
}

std::string random_run::go() {
  const auto empty = netns::fingerprint(*system_.world);
  if (auto started = system_.start(); !started)
    return "  start: " + started.error().message + "\n";
  while (counts_.requests < requests_per_run) {
    while (in_work_.size() < clients && counts_.requests < requests_per_run)
      send();
    if (chance(15))
      plan_fault();
    if (chance(6))
      interfere();
    system_.run_shuffled(rng_, 20 + pick(200));
    if (!in_work_.empty() && chance(30))
      system_.advance(std::chrono::seconds{pick(3)});
    if (chance(2))
      system_.crash();
    if (system_.crashed())
      restart();
  }
  auto wrong = be_quiet();
  restart();
  if (auto after = testing::check_all(system_); !after.empty())
    wrong += "  after a restart:\n" + after;
  wrong += check_acknowledged();
  wrong += testing::remove_everything(system_);
  if (auto now = netns::fingerprint(*system_.world); now != empty)
    wrong += "  after removing everything the machine has\n" + now;
  return wrong;
}

} // namespace troupe::sim
