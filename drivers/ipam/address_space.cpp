#include "troupe/drivers/ipam/address_space.hpp"

#include <algorithm>
#include <utility>

namespace troupe::ipam {

namespace {

/// The lowest subnet of `length` in `base` that shares no number with `taken`.
std::optional<prefix>
lowest_free(const prefix& base, uint8_t length, const number_set& taken) {
  auto family = base.family();
  auto last = base.last().number();
  auto from = base.first().number();
  while (auto gap = taken.first_gap(from, last)) {
    // The subnet around the gap may begin below it, in what is taken: then the
    // next one is tried. Either way the search goes on behind the subnet.
    auto candidate = prefix{ip_address::from_number(family, *gap), length};
    auto begin = candidate.first().number();
    auto end = candidate.last().number();
    if (!taken.contains_any(begin, end))
      return candidate;
    if (end == last)
      return std::nullopt;
    from = end + 1;
  }
  return std::nullopt;
}

} // namespace

address_space::address_space(std::string name,
                             std::vector<predefined_pool> predefined)
  : name_{std::move(name)}, predefined_{std::move(predefined)} {
}

const prefix* address_space::overlapping(const prefix& x) const {
  // Claimed subnets are disjoint, so only the last one that begins at or
  // before the end of `x` needs a look.
  auto next = subnets_.upper_bound({x.last(), x.last().bits()});
  if (next == subnets_.begin())
    return nullptr;
  auto candidate = std::prev(next);
  return candidate->first.overlaps(x) ? &candidate->first : nullptr;
}

pool_lease address_space::remember(const prefix& subnet,
                                   const std::optional<prefix>& range) {
  auto id = name_ + "/" + to_string(subnet);
  if (range)
    id += "/" + to_string(*range);
  auto& ids = subnets_[subnet];
  if (ids.empty())
    taken_[static_cast<size_t>(subnet.family())].insert(subnet.first().number(),
                                                        subnet.last().number());
  ids.insert(id);
  leases_.emplace(id, subnet);
  return {id, subnet, range};
}

result<pool_lease>
address_space::claim(const prefix& subnet, const std::optional<prefix>& range) {
  auto operation = "claim subnet " + to_string(subnet) + ": ";
  if (const auto* other = overlapping(subnet)) {
    if (*other != subnet || !range)
      return fail(ec::conflict,
                  operation + "overlaps with subnet " + to_string(*other)
                    + ", which is in use",
                  "choose a subnet that is free, or leave it out");
    auto id = name_ + "/" + to_string(subnet) + "/" + to_string(*range);
    if (leases_.contains(id))
      return fail(ec::conflict,
                  operation + "its range " + to_string(*range) + " is in use",
                  "choose another range of the subnet");
  }
  return remember(subnet, range);
}

result<pool_lease>
address_space::claim_any(ip_family family, std::optional<uint8_t> length,
                         const std::vector<prefix>& exclude) {
  auto taken = taken_[static_cast<size_t>(family)];
  for (const auto& x : exclude)
    if (x.family() == family)
      taken.insert(x.first().number(), x.last().number());
  auto pools = size_t{0};
  auto searched = size_t{0};
  for (const auto& pool : predefined_) {
    if (pool.base.family() != family)
      continue;
    ++pools;
    auto wanted = length.value_or(pool.length);
    if (wanted < pool.base.length())
      continue;
    ++searched;
    if (auto found = lowest_free(pool.base, wanted, taken))
      return remember(*found, std::nullopt);
  }
  auto kind = std::string{family == ip_family::v4 ? "IPv4" : "IPv6"} + " pool";
  auto hint = std::string{"pass --subnet, or configure default-address-pools"};
  if (pools == 0)
    return fail(ec::unavailable,
                "choose a subnet: no predefined " + kind + " in " + name_,
                hint);
  if (searched == 0)
    return fail(ec::invalid_argument,
                "choose a subnet: no predefined " + kind + " is as large as a /"
                  + std::to_string(*length),
                hint);
  return fail(ec::unavailable,
              "choose a subnet: all predefined " + kind + "s of " + name_
                + " are used up, by networks or by routes of the host",
              "remove a network, " + hint);
}

bool address_space::release(const std::string& id) {
  auto lease = leases_.find(id);
  if (lease == leases_.end())
    return false;
  auto subnet = subnets_.find(lease->second);
  subnet->second.erase(id);
  if (subnet->second.empty()) {
    const auto& x = subnet->first;
    taken_[static_cast<size_t>(x.family())].erase(x.first().number(),
                                                  x.last().number());
    subnets_.erase(subnet);
  }
  leases_.erase(lease);
  return true;
}

} // namespace troupe::ipam
