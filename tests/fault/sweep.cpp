#include "troupe/tests/fault/sweep.hpp"

#include <cstring>
#include <set>
#include <sstream>

namespace troupe::fault {

namespace {

using store_effect = persistence::store_fault_plan::effect;

store_effect to_store(fault::effect x) {
  switch (x) {
  case fault::effect::fail:
    return store_effect::fail;
  case fault::effect::lose_reply:
    return store_effect::lose_reply;
  case fault::effect::crash_before:
    return store_effect::crash_before;
  case fault::effect::crash_after:
    return store_effect::crash_after;
  case fault::effect::run:
    break;
  }
  return store_effect::none;
}

std::string name_of(fault::effect x) {
  switch (x) {
  case fault::effect::fail:
    return "fail";
  case fault::effect::lose_reply:
    return "lose_reply";
  case fault::effect::crash_before:
    return "crash_before";
  case fault::effect::crash_after:
    return "crash_after";
  case fault::effect::run:
    break;
  }
  return "run";
}

std::string name_of(seam x) {
  switch (x) {
  case seam::kernel:
    return "kernel";
  case seam::store:
    return "store";
  case seam::ports:
    break;
  }
  return "ports";
}

/// The undoing may fail as well, which is tried again later.
bool goes_on(const fault& x) {
  return x.for_ever || x.gap > 0;
}

/// Whether it was done, nobody can tell.
bool is_unknown(const fault& x) {
  return x.where != seam::kernel && x.what == fault::effect::lose_reply;
}

/// These claim that the object is there, or is not: who believes them is wrong
/// about the machine until somebody looks again.
bool is_a_lie(const fault& x) {
  return x.os_error == ENOENT || x.os_error == ENODEV || x.os_error == EEXIST;
}

std::set<std::string> lines_of(const std::string& text) {
  auto lines = std::set<std::string>{};
  auto in = std::istringstream{text};
  for (auto line = std::string{}; std::getline(in, line);)
    lines.insert(line);
  return lines;
}

/// What is more and what is less than before; empty if nothing.
std::string difference(const std::string& before, const std::string& now) {
  const auto was = lines_of(before);
  const auto is = lines_of(now);
  auto text = std::string{};
  for (const auto& line : was)
    if (!is.contains(line))
      text += "    - " + line + "\n";
  for (const auto& line : is)
    if (!was.contains(line))
      text += "    + " + line + "\n";
  return text;
}

/// A sandbox whose only IPv6 endpoint never came to be may keep IPv6 on its
/// loopback device until the next one leaves.
std::string without_loopback(const std::string& machine) {
  auto text = std::string{};
  for (const auto& line : lines_of(machine))
    if (line.find("sysctl lo ") == std::string::npos
        && line.find("address lo ::1/128") == std::string::npos
        && line.find("kernel route ::1/128 ") == std::string::npos)
      text += line + "\n";
  return text;
}

/// Once a namespace that is not ours was believed to be gone, or its record
/// went without an answer, nobody looks there for rules of ours any more.
std::string without_rules_of_others(const std::string& machine) {
  auto text = std::string{};
  for (const auto& line : lines_of(machine))
    if (!line.starts_with("/proc/") || line.find(": rule ") == line.npos)
      text += line + "\n";
  return text;
}

} // namespace

std::string to_string(const fault& x) {
  auto text = name_of(x.where) + " " + name_of(x.what) + " "
              + std::to_string(x.nth) + (x.for_ever ? " for_ever" : " once");
  if (x.gap > 0)
    text += " and " + std::to_string(x.gap) + " later";
  if (x.os_error != 0)
    text += std::string{" "} + strerrorname_np(x.os_error);
  return text;
}

size_t& runs() {
  static auto count = size_t{0};
  return count;
}

run::run(const scenario& what) : what_{what} {
  empty_ = machine();
  if (auto started = system_.start(); !started)
    outcome_ = troupe::fail(started.error());
  for (const auto& step : what.prepare)
    if (auto done = system_.call(step); !done)
      outcome_ = troupe::fail(done.error());
  if (what.restarts)
    if (auto started = system_.start(); !started)
      outcome_ = troupe::fail(started.error());
  world_before_ = machine();
  records_before_ = system_.records();
}

void run::plan(const fault& x) {
  system_.kernel_faults->reset_counters();
  auto& store = *system_.store_faults;
  store.seen = 0;
  store.faulted = 0;
  if (x.where == seam::ports)
    return plan_ports(x);
  if (x.where == seam::store) {
    store.what = to_store(x.what);
    store.nth = x.nth;
    store.for_ever = x.for_ever;
    // A lost reply is what a deadline that passes looks like.
    store.why.code
      = x.what == fault::effect::lose_reply ? ec::timeout : ec::unavailable;
    return;
  }
  auto rule = netns::fault_rule{};
  rule.what = x.what;
  rule.nth = x.nth;
  rule.for_ever = x.for_ever;
  rule.os_error = x.os_error;
  system_.kernel_faults->add(rule);
  if (x.gap == 0)
    return;
  rule.nth += x.gap;
  system_.kernel_faults->add(rule);
}

void run::plan_ports(const fault& x) {
  using ports = netns::simulated_ports;
  port_faults_ = 0;
  system_.ports->on_call = [this, x, calls = 0U](ports::call) mutable {
    const auto number = calls++;
    if (x.for_ever ? number < x.nth : number != x.nth)
      return ports::fault{};
    ++port_faults_;
    return ports::fault{x.os_error, x.what == fault::effect::lose_reply};
  };
}

void run::heal() {
  system_.heal();
  system_.ports->on_call = nullptr;
}

/// With the ports that are taken.
std::string run::machine() const {
  auto text = netns::fingerprint(*system_.world);
  for (const auto& x : system_.ports->held())
    text += "port " + x + "\n";
  return text;
}

bool run::strike(const fault& x) {
  plan(x);
  outcome_ = system_.call(what_.operation);
  const auto hit = x.where == seam::store ? system_.store_faults->faulted > 0
                   : x.where == seam::ports
                     ? port_faults_ > 0
                     : system_.kernel_faults->faults() > 0;
  runs() += hit ? 1 : 0;
  return hit;
}

bool run::crash_in_recovery(const fault& x) {
  heal();
  plan(x);
  (void)system_.start();
  const auto hit = system_.crashed();
  heal();
  return hit;
}

/// Refused means: the store is as before. Done means: it is not.
std::string run::check_records(const fault& x) {
  const auto same = system_.records() == records_before_;
  if (is_unknown(x))
    return {}; // Unknown: either will do.
  if (!outcome_ && !same)
    return "  refused, yet the store has changed\n";
  if (outcome_ && same)
    return "  done, yet the store is as before\n";
  return {};
}

/// The shortest of: at once; after a while; after a repair; after a restart.
std::string run::settle_then_check(const fault& x) {
  const auto unknown = is_unknown(x);
  if (!outcome_ && !what_.removes && !goes_on(x) && !is_a_lie(x) && !unknown)
    if (auto now = machine(); now != world_before_)
      return "  refused, yet the machine has changed\n"
             + difference(world_before_, now);
  heal();
  auto wrong = testing::check_all(system_);
  if (wrong.empty())
    return {};
  system_.advance(std::chrono::seconds{2});
  wrong = testing::check_all(system_);
  if (wrong.empty())
    return {};
  if (!goes_on(x) && !is_a_lie(x) && !unknown)
    return wrong;
  if (auto repaired = system_.call(run_doctor{true}); !repaired)
    return "  repair: " + repaired.error().message + "\n";
  wrong = testing::check_all(system_);
  return unknown ? std::string{} : wrong;
}

std::string run::check_outcome(const fault& x) {
  if (outcome_ || outcome_.error().message != "no reply came") {
    if (system_.last_call_took().count() > 0)
      return "  the reply came late\n";
  } else {
    return "  no reply came\n";
  }
  auto wrong = check_records(x);
  wrong += settle_then_check(x);
  const auto records = system_.records();
  if (auto started = system_.start(); !started)
    return wrong + "  restart: " + started.error().message + "\n";
  if (auto after = testing::check_all(system_); !after.empty())
    wrong += "  after a restart:\n" + after;
  if (system_.records() != records)
    wrong += "  a restart has changed the store\n";
  return wrong;
}

std::string run::check_recovery() {
  heal();
  const auto records = system_.records();
  if (auto started = system_.start(); !started)
    return "  restart: " + started.error().message + "\n";
  auto wrong = testing::check_all(system_);
  if (records == records_before_)
    if (auto changed = difference(without_loopback(world_before_),
                                  without_loopback(machine()));
        !changed.empty())
      wrong += "  not done, yet the machine has changed\n" + changed;
  return wrong;
}

std::string run::check_empty(const fault& x) {
  auto wrong = testing::remove_everything(system_);
  const auto seen = [&](const std::string& machine) {
    return is_a_lie(x) || is_unknown(x) ? without_rules_of_others(machine)
                                        : machine;
  };
  if (auto changed = difference(seen(empty_), seen(machine()));
      !changed.empty())
    wrong += "  after removing everything the machine has changed\n" + changed;
  if (!system_.records().empty())
    wrong += "  after removing everything the store has\n" + system_.records();
  return wrong;
}

} // namespace troupe::fault
