#include "troupe/actors/services/firewall/book.hpp"

#include "troupe/config/model/difference.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace troupe {

firewall_book::changes
firewall_book::replace(const std::string& owner, elements wanted) {
  std::ranges::sort(wanted);
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
  auto before = of(owner);
  auto result = changes{};
  for (auto& x : difference(before, wanted))
    if (auto i = count_.find(x); --i->second == 0) {
      count_.erase(i);
      result.push_back({false, std::move(x)});
    }
  for (auto& x : difference(wanted, before))
    if (++count_[x] == 1)
      result.push_back({true, std::move(x)});
  if (wanted.empty())
    wanted_.erase(owner);
  else
    wanted_[owner] = std::move(wanted);
  return result;
}

firewall_book::elements firewall_book::of(const std::string& owner) const {
  const auto i = wanted_.find(owner);
  return i == wanted_.end() ? elements{} : i->second;
}

bool firewall_book::wants_key(const netns::firewall::element& x) const {
  // Those with one key stand side by side, whatever their data.
  auto has_key = [&x](const auto& y) {
    return y.first.set == x.set && y.first.key == x.key;
  };
  const auto i = count_.lower_bound(x);
  return (i != count_.end() && has_key(*i))
         || (i != count_.begin() && has_key(*std::prev(i)));
}

firewall_book::elements firewall_book::all() const {
  auto result = elements{};
  result.reserve(count_.size());
  for (const auto& [x, count] : count_)
    result.push_back(x);
  return result;
}

} // namespace troupe
