#include "troupe/netns/faulty/kernel.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace troupe::netns {

namespace {

constexpr size_t longest_log = 4096;

struct call_row {
  std::string_view name;
  bool mutates;
};

/// In the order of `call`.
constexpr call_row rows[] = {
  {"create_namespace", true},
  {"adopt_namespace", true},
  {"remove_namespace", true},
  {"find_namespace", false},
  {"namespaces", false},
  {"enter", false},
  {"add_bridge", true},
  {"add_veth", true},
  {"del_link", true},
  {"del_group", true},
  {"set_link", true},
  {"set_port_flags", true},
  {"bind_mac", true},
  {"link_index", false},
  {"link", false},
  {"links", false},
  {"statistics", false},
  {"add_address", true},
  {"del_address", true},
  {"addresses", false},
  {"all_addresses", false},
  {"announce", true},
  {"add_route", true},
  {"del_route", true},
  {"routes", false},
  {"link_routes", false},
  {"add_rule", true},
  {"del_rule", true},
  {"rules", false},
  {"routed_subnets", false},
  {"set_neighbour", true},
  {"del_neighbour", true},
  {"neighbours", false},
  {"neighbour", false},
  {"set_sysctl", true},
  {"read_sysctl", false},
  {"load_firewall", true},
  {"change_elements", true},
  {"list_elements", false},
  {"remove_firewall", true},
  {"forward_blockers", false},
  {"flush_conntrack", true},
  {"connections", false},
};
static_assert(std::size(rows) == call_count);

} // namespace

std::string_view to_string(call what) {
  return rows[static_cast<size_t>(what)].name;
}

std::vector<std::string_view> call_names() {
  auto names = std::vector<std::string_view>{};
  for (const auto& x : rows)
    names.push_back(x.name);
  return names;
}

std::optional<call> call_from_string(std::string_view name) {
  const auto* row = std::ranges::find(rows, name, &call_row::name);
  if (row == std::end(rows))
    return std::nullopt;
  return static_cast<call>(row - std::begin(rows));
}

bool mutates(call what) {
  return rows[static_cast<size_t>(what)].mutates;
}

std::vector<int> injected_errors() {
  return {EPERM,  ENOENT, EINTR,  EAGAIN, ENOMEM,     EBUSY,   EEXIST,
          ENODEV, EINVAL, EMFILE, ENOSPC, EOPNOTSUPP, ENOBUFS, ETIMEDOUT};
}

std::vector<std::string_view> injected_error_names() {
  auto names = std::vector<std::string_view>{};
  for (auto x : injected_errors())
    names.emplace_back(strerrorname_np(x));
  return names;
}

int error_named(std::string_view name) {
  for (auto x : injected_errors())
    if (name == strerrorname_np(x))
      return x;
  return 0;
}

error crash_error(call what) {
  return error{
    ec::internal, std::string{to_string(what)} + ": simulated crash", {}, 0};
}

void fault_plan::add(fault_rule rule) {
  auto lock = std::lock_guard{mutex_};
  rules_.push_back({std::move(rule), 0});
}

void fault_plan::clear() {
  auto lock = std::lock_guard{mutex_};
  rules_.clear();
}

void fault_plan::mutations_only(bool on) {
  auto lock = std::lock_guard{mutex_};
  mutations_only_ = on;
}

void fault_plan::on_crash(std::function<void()> callback) {
  auto lock = std::lock_guard{mutex_};
  on_crash_ = std::move(callback);
}

bool fault_plan::crashed() const {
  auto lock = std::lock_guard{mutex_};
  return crashed_;
}

void fault_plan::restart() {
  auto lock = std::lock_guard{mutex_};
  crashed_ = false;
}

size_t fault_plan::calls() const {
  auto lock = std::lock_guard{mutex_};
  return total_;
}

size_t fault_plan::calls(call what) const {
  auto lock = std::lock_guard{mutex_};
  return counts_[static_cast<size_t>(what)];
}

size_t fault_plan::faults() const {
  auto lock = std::lock_guard{mutex_};
  return faults_;
}

std::vector<seen_call> fault_plan::log() const {
  auto lock = std::lock_guard{mutex_};
  return {log_.begin(), log_.end()};
}

void fault_plan::reset_counters() {
  auto lock = std::lock_guard{mutex_};
  faults_ = 0;
  total_ = 0;
  counts_.fill(0);
  log_.clear();
  for (auto& x : rules_)
    x.matches = 0;
}

bool fault_plan::hits(counted_rule& x, call what) {
  if (x.rule.on && *x.rule.on != what)
    return false;
  auto number = x.matches++;
  return number == x.rule.nth || (x.rule.for_ever && number > x.rule.nth);
}

void fault_plan::note(const seen_call& x) {
  ++total_;
  ++counts_[static_cast<size_t>(x.what)];
  log_.push_back(x);
  if (log_.size() > longest_log)
    log_.pop_front();
}

fault_source::verdict fault_plan::judge(call what) {
  auto lock = std::lock_guard{mutex_};
  auto result = verdict{};
  result.dead = crashed_;
  if (crashed_ || (mutations_only_ && !mutates(what)))
    return result;
  for (auto& x : rules_) {
    if (!hits(x, what))
      continue;
    if (x.rule.what != fault_rule::effect::run) {
      if (result.effect)
        continue;
      result.effect = x.rule.what;
      result.os_error = x.rule.os_error;
    }
    if (x.rule.action)
      result.actions.push_back(x.rule.action);
  }
  if (result.effect)
    ++faults_;
  auto not_done = result.effect == fault_rule::effect::fail
                  || result.effect == fault_rule::effect::crash_before;
  note({what, !not_done, result.effect.has_value()});
  return result;
}

void fault_plan::crash() {
  auto callback = std::function<void()>{};
  {
    auto lock = std::lock_guard{mutex_};
    if (std::exchange(crashed_, true))
      return;
    callback = on_crash_;
  }
  if (callback)
    callback();
}

} // namespace troupe::netns
