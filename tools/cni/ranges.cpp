#include "troupe/tools/cni/ranges.hpp"

#include "troupe/config/model/id.hpp"

#include <algorithm>
#include <utility>

namespace troupe::cni {

namespace {

/// Most addresses that are reserved to make a range of any length.
constexpr size_t max_reserved = 512;

tl::unexpected<failure>
bad_range(const range_fields& x, const std::string& why) {
  return fails(code::bad_config,
               "range in subnet " + quoted(x.subnet.value_or("")) + ": " + why);
}

/// The smallest subnet with both.
prefix smallest_with(const ip_address& first, const ip_address& last) {
  for (auto length = first.bits(); length > 0; --length)
    if (auto found = prefix{first, length}; found.contains(last))
      return found;
  return {first, 0};
}

ip_address next(const ip_address& x) {
  return ip_address::from_number(x.family(), x.number() + 1);
}

/// Nobody gets these anyway.
bool is_special(const prefix& subnet, const ip_address& x) {
  return x == subnet.first() || (x.is_v4() && x == subnet.last());
}

/// Reserves what the pool's range has too much.
outcome<void> reserve_around(const range_fields& x, const ip_address& first,
                             const ip_address& last, ipam_pool& pool) {
  const auto& range = *pool.ip_range;
  auto reserve = [&](ip_address at, const ip_address& end) {
    for (; at != end && pool.aux_addresses.size() <= max_reserved;
         at = next(at))
      if (!is_special(*pool.subnet, at) && at != pool.gateway)
        pool.aux_addresses.emplace("outside-" + to_string(at), at);
  };
  reserve(range.first(), first);
  reserve(next(last), next(range.last()));
  if (pool.aux_addresses.size() <= max_reserved)
    return {};
  return bad_range(x, "from " + to_string(first) + " to " + to_string(last)
                        + " is far from a subnet of its own; "
                        + to_string(range) + " is the nearest");
}

} // namespace

outcome<ipam_pool> pool_of(const range_fields& x) {
  if (!x.subnet)
    return fails(code::bad_config, "a range has no subnet");
  auto subnet = interface_address::parse(*x.subnet);
  if (!subnet)
    return fails(code::bad_config,
                 "subnet " + quoted(*x.subnet) + ": " + subnet.error().message);
  auto pool = ipam_pool{subnet->subnet(), {}, x.gateway, {}};
  const auto& whole = *pool.subnet;
  for (const auto& address : {x.rangeStart, x.rangeEnd, x.gateway})
    if (address && !whole.contains(*address))
      return bad_range(x, to_string(*address) + " is not in it");
  if (!x.rangeStart && !x.rangeEnd)
    return pool;
  if (whole.length() + 1 >= whole.address().bits())
    return bad_range(x, "it is too small for a range");
  // Without one the daemon would choose, perhaps a reserved one.
  if (!pool.gateway)
    pool.gateway = next(whole.first());
  auto first = x.rangeStart.value_or(next(whole.first()));
  auto last = x.rangeEnd.value_or(whole.last());
  if (last < first)
    return bad_range(x, to_string(first) + " is after " + to_string(last));
  // Neither costs anything: nobody gets the first and the last of a subnet.
  if (first == next(whole.first()))
    first = whole.first();
  if (whole.address().is_v4() && next(last) == whole.last())
    last = whole.last();
  auto range = smallest_with(first, last);
  if (range == whole && first == whole.first() && last == whole.last())
    return pool;
  pool.ip_range = range;
  if (auto done = reserve_around(x, first, last, pool); !done)
    return fails(std::move(done.error()));
  return pool;
}

outcome<std::vector<ipam_pool>> pools_of(const range_sets& xs) {
  auto result = std::vector<ipam_pool>{};
  for (const auto& set : xs) {
    if (set.empty())
      continue;
    if (set.size() > 1)
      return fails(code::unsupported_field,
                   "ranges: several ranges in one set are not supported",
                   quoted(set[1].subnet.value_or("")));
    auto pool = pool_of(set.front());
    if (!pool)
      return fails(std::move(pool.error()));
    auto family = pool->subnet->family();
    if (std::ranges::any_of(result, [family](const auto& other) {
          return other.subnet->family() == family;
        }))
      return fails(code::unsupported_field,
                   "ranges: two subnets of one family are not supported",
                   to_string(*pool->subnet));
    result.push_back(std::move(*pool));
  }
  return result;
}

} // namespace troupe::cni
