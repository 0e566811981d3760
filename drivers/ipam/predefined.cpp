#include "troupe/drivers/ipam/predefined.hpp"

#include <algorithm>

namespace troupe::ipam {

namespace {

/// @pre `a.b.0.0` has no bits beyond `base_length`.
predefined_pool
ipv4_pool(unsigned a, unsigned b, uint8_t base_length, uint8_t length) {
  auto number = uint128{a} << 24 | uint128{b} << 16;
  return {prefix{ip_address::from_number(ip_family::v4, number), base_length},
          length};
}

/// FNV-1a with splitmix64's finaliser: not secret, only well spread and stable
/// for ever, which `std::hash` is not.
uint64_t stable_hash(std::string_view text) {
  auto x = uint64_t{0xcbf29ce484222325};
  for (auto c : text)
    x = (x ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

} // namespace

std::vector<predefined_pool> default_local_pools() {
  return {ipv4_pool(172, 17, 16, 16), ipv4_pool(172, 18, 16, 16),
          ipv4_pool(172, 19, 16, 16), ipv4_pool(172, 20, 14, 16),
          ipv4_pool(172, 24, 14, 16), ipv4_pool(172, 28, 14, 16),
          ipv4_pool(192, 168, 16, 20)};
}

std::vector<predefined_pool> default_global_pools() {
  return {ipv4_pool(10, 0, 8, 24)};
}

predefined_pool ula_pool(std::string_view seed) {
  auto global_id = uint128{stable_hash(seed) & 0xff'ffff'ffff};
  auto number = uint128{0xfd} << 120 | global_id << 80;
  return {prefix{ip_address::from_number(ip_family::v6, number), 48}, 64};
}

result<std::vector<predefined_pool>>
normalised(std::vector<predefined_pool> pools) {
  for (const auto& x : pools)
    if (x.length < x.base.length() || x.length > x.base.address().bits())
      return fail(ec::invalid_argument,
                  "default address pool " + to_string(x.base) + ": size "
                    + std::to_string(x.length) + " is not a length of subnets "
                    + "of " + to_string(x.base),
                  "use a size from " + std::to_string(x.base.length()) + " to "
                    + std::to_string(x.base.address().bits()));
  std::sort(pools.begin(), pools.end(), [](const auto& lhs, const auto& rhs) {
    return lhs.base < rhs.base;
  });
  // Sorted, a base comes right before all that lie inside it.
  auto result = std::vector<predefined_pool>{};
  for (auto& x : pools)
    if (result.empty() || !result.back().base.contains(x.base))
      result.push_back(x);
  return result;
}

} // namespace troupe::ipam
