#include "troupe/tests/lab/history.hpp"

#include <algorithm>
#include <limits>
#include <optional>

namespace troupe::testing {

namespace {

constexpr auto end_of_time = std::numeric_limits<uint64_t>::max();

/// So many operations on one object at once would take for ever to order.
constexpr size_t most_at_once = 40;

/// Present, with a value nobody was told.
const auto some_value = std::string{"?"};

/// Of one object: empty is absent.
using state = std::string;

} // namespace

/// Looks for orders of operations that overlap.
class history::search {
public:
  search(const entry* first, const entry* last) : first_{first}, last_{last} {
    for (size_t i = 0; i < size(); ++i)
      if (at(i).told != outcome::unknown && !says_nothing(i))
        needed_ |= mask{1} << i;
  }

  /// @returns the states that some order leads to, from any of these.
  std::set<state> from(const std::set<state>& befores) {
    for (const auto& x : befores)
      extend(0, x);
    return std::move(results_);
  }

private:
  using mask = uint64_t;

  const entry& at(size_t i) const {
    return first_[i];
  }
  size_t size() const {
    return static_cast<size_t>(last_ - first_);
  }

  static bool has(mask x, size_t i) {
    return (x >> i & 1U) != 0;
  }

  /// It neither changed the object nor tells of its state.
  bool says_nothing(size_t i) const {
    const auto told = at(i).told;
    return told == outcome::refused
           || ((told == outcome::exists || told == outcome::absent)
               && has_company(i));
  }

  /// Puts one more operation behind those in `done`. Of those without an answer
  /// only such as change something are tried: the others never happened.
  void extend(mask done, const state& now) {
    if (!seen_.emplace(done, now).second)
      return;
    auto first_end = end_of_time;
    auto last_begin = uint64_t{0};
    for (size_t i = 0; i < size(); ++i)
      if (has(done, i))
        last_begin = std::max(last_begin, at(i).begun);
      else if (has(needed_, i))
        first_end = std::min(first_end, at(i).ended);
    if ((done & needed_) == needed_)
      results_.insert(now);
    for (size_t i = 0; i < size(); ++i) {
      // One that began after another had ended comes after it.
      if (has(done, i) || at(i).begun > first_end || at(i).ended < last_begin)
        continue;
      const auto unknown = at(i).told == outcome::unknown;
      if (unknown || has(needed_, i))
        for (const auto& next : apply(i, now))
          if (!unknown || next != now)
            extend(done | mask{1} << i, next);
    }
  }

  /// Whoever meets an operation under way may be told of either side of it.
  bool has_company(size_t i) const {
    for (size_t j = 0; j < size(); ++j)
      if (j != i && at(j).what != action::read && at(j).begun < at(i).ended
          && at(i).begun < at(j).ended)
        return true;
    return false;
  }

  std::vector<state> apply(size_t i, const state& now) const {
    const auto& x = at(i);
    switch (x.told) {
    case outcome::refused:
      return {now};
    case outcome::exists:
      return !now.empty() ? std::vector{now} : std::vector<state>{};
    case outcome::absent:
      return now.empty() ? std::vector{now} : std::vector<state>{};
    case outcome::done:
    case outcome::unknown:
      return perform(x, now);
    }
    return {};
  }

  static std::vector<state> perform(const entry& x, const state& now) {
    switch (x.what) {
    case action::create:
      if (!now.empty())
        return {};
      return {x.value.empty() ? some_value : x.value};
    case action::remove:
      return now.empty() ? std::vector<state>{} : std::vector{state{}};
    case action::clear:
      if (now == some_value && !x.value.empty())
        return {now, state{}};
      return {x.value.empty() || now == x.value ? state{} : now};
    case action::may_clear:
      return {now, state{}};
    case action::read:
      if (now == x.value || (now == some_value && !x.value.empty()))
        return {x.value};
      return {};
    }
    return {};
  }

  const entry* first_;
  const entry* last_;
  mask needed_ = 0; ///< What must have a place in the order.
  std::set<std::pair<mask, state>> seen_;
  std::set<state> results_;
};

history::ticket
history::begin(std::string object, action what, std::string value) {
  auto lock = std::lock_guard{mutex_};
  auto x = entry{what, outcome::unknown, std::move(value), ++now_, 0};
  entries_.emplace_back(std::move(object), std::move(x));
  open_.push_back(entries_.size() - 1);
  return entries_.size() - 1;
}

void history::end(ticket which, outcome what, std::string value) {
  auto lock = std::lock_guard{mutex_};
  auto& x = entries_[which].second;
  if (x.ended != 0)
    return; // An answer of a process that was killed.
  x.told = what;
  if (!value.empty())
    x.value = std::move(value);
  if (what == outcome::unknown)
    return;
  x.ended = ++now_;
  std::erase(open_, which);
}

void history::saw(std::string object, std::string value) {
  end(begin(std::move(object), action::read, std::move(value)), outcome::done);
}

void history::settle() {
  auto lock = std::lock_guard{mutex_};
  ++now_;
  for (auto which : open_)
    entries_[which].second.ended = now_;
  open_.clear();
}

size_t history::size() const {
  auto lock = std::lock_guard{mutex_};
  return entries_.size();
}

std::string history::to_string(const entry& x) {
  constexpr const char* actions[]
    = {"create", "remove", "clear", "may clear", "saw"};
  constexpr const char* outcomes[]
    = {"done", "exists", "absent", "refused", "unknown"};
  auto text = std::string{actions[static_cast<size_t>(x.what)]};
  if (x.what == action::read && x.value.empty())
    text += " nothing";
  else if (!x.value.empty())
    text += " " + x.value.substr(0, 12);
  if (x.what != action::read)
    text += std::string{": "} + outcomes[static_cast<size_t>(x.told)];
  return text + " [" + std::to_string(x.begun) + ", "
         + (x.ended == end_of_time ? "…" : std::to_string(x.ended)) + "]";
}

std::string
history::check(const std::string& object, std::vector<entry> entries) {
  for (auto& x : entries)
    if (x.ended == 0)
      x.ended = end_of_time;
  std::ranges::stable_sort(entries, {}, &entry::begun);
  auto states = std::set<state>{{}};
  for (size_t first = 0; first < entries.size();) {
    // Everything up to an instant at which nothing was under way.
    auto last = first;
    auto busy_until = uint64_t{0};
    do
      busy_until = std::max(busy_until, entries[last++].ended);
    while (last < entries.size() && entries[last].begun < busy_until);
    if (last - first > most_at_once)
      return object + ": more than " + std::to_string(most_at_once)
             + " operations overlap; settle the history more often\n";
    auto next
      = search{entries.data() + first, entries.data() + last}.from(states);
    if (next.empty()) {
      auto text
        = object + ": these answers contradict each other; before it was";
      for (const auto& x : states)
        text += " " + (x.empty() ? "absent" : x.substr(0, 12));
      text += "\n";
      for (auto i = first; i < last; ++i)
        text += "    " + to_string(entries[i]) + "\n";
      return text;
    }
    states = std::move(next);
    first = last;
  }
  return {};
}

std::string history::check() const {
  auto lock = std::lock_guard{mutex_};
  auto objects = std::map<std::string, std::vector<entry>>{};
  for (const auto& [object, x] : entries_)
    objects[object].push_back(x);
  auto wrong = std::string{};
  for (auto& [object, entries] : objects)
    wrong += check(object, std::move(entries));
  return wrong;
}

} // namespace troupe::testing
