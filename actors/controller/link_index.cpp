#include "troupe/actors/controller/link_index.hpp"

#include <algorithm>
#include <utility>

namespace troupe {

namespace {

/// What a driver may have set, as text.
std::string look_of(const netns::link_info& x) {
  auto result = x.name + " " + x.alias + " " + to_string(x.mac);
  for (auto number : {static_cast<uint32_t>(x.up),
                      static_cast<uint32_t>(x.master), x.group, x.mtu_bytes})
    result += " " + std::to_string(number);
  if (x.port)
    result += x.port->isolated ? " isolated" : " port";
  return result;
}

} // namespace

void link_index::claim(const std::string& link, const network_id& network) {
  const auto [first, last] = owners_.equal_range(link);
  if (std::none_of(first, last, [&](const auto& x) {
        return x.second == network;
      }))
    owners_.emplace(link, network);
}

void link_index::release(const std::string& link, const network_id& network) {
  const auto [first, last] = owners_.equal_range(link);
  const auto found = std::find_if(first, last, [&](const auto& x) {
    return x.second == network;
  });
  if (found != last)
    owners_.erase(found);
}

std::vector<network_id> link_index::owners_of(const std::string& link) const {
  auto result = std::vector<network_id>{};
  const auto [first, last] = owners_.equal_range(link);
  for (auto x = first; x != last; ++x)
    result.push_back(x->second);
  return result;
}

link_index::place link_index::find(const netns::kernel_event& event) {
  using kind = netns::kernel_event::kind;
  auto known = known_.find(event.index);
  auto result = place{event.link_name, owners_of(event.link_name)};
  if (result.networks.empty()) {
    if (known == known_.end())
      return result;
    result = {known->second.name, owners_of(known->second.name)};
  }
  // The kernel gives indices out again; a link that nobody claims any more is
  // forgotten with its last event.
  if (event.what == kind::link_removed || result.networks.empty())
    known_.erase(event.index);
  else if (event.index != 0 && known == known_.end())
    known_.emplace(event.index, known_link{result.link, {}});
  return result;
}

std::vector<link_index::place>
link_index::compare(const std::vector<netns::link_info>& links) {
  auto result = std::vector<place>{};
  auto before = std::exchange(known_, {});
  for (const auto& x : links) {
    auto known = before.find(x.index);
    const auto claimed = owners_.contains(x.name);
    if (!claimed && known == before.end())
      continue;
    auto now = known_link{claimed ? x.name : known->second.name, look_of(x)};
    if (known != before.end()) {
      if (!known->second.look.empty() && known->second.look != now.look)
        result.push_back({now.name, owners_of(now.name)});
      before.erase(known);
    }
    if (owners_.contains(now.name))
      known_.emplace(x.index, std::move(now));
  }
  // What was there and is not.
  for (const auto& [index, x] : before)
    result.push_back({x.name, owners_of(x.name)});
  std::erase_if(result, [](const auto& x) {
    return x.networks.empty();
  });
  return result;
}

} // namespace troupe
