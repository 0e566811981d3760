#include "troupe/actors/firewall_book.hpp"

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
  auto gone = elements{};
  auto fresh = elements{};
  std::ranges::set_difference(before, wanted, std::back_inserter(gone));
  std::ranges::set_difference(wanted, before, std::back_inserter(fresh));
  for (auto& x : gone)
    if (auto i = count_.find(x); --i->second == 0) {
      count_.erase(i);
      result.push_back({false, std::move(x)});
    }
  for (auto& x : fresh)
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

firewall_book::elements firewall_book::all() const {
  auto result = elements{};
  result.reserve(count_.size());
  for (const auto& [x, count] : count_)
    result.push_back(x);
  return result;
}

} // namespace troupe
