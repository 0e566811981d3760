#pragma once

#include "troupe/drivers/ipam/driver.hpp"
#include "troupe/drivers/ipam/number_set.hpp"

namespace troupe::ipam {

/// The address pool of one lease.
///
/// - IPv4 subnets up to /30 keep back the network and the broadcast address,
///   IPv6 ones up to /126 the subnet-router anycast address; smaller ones
///   keep back nothing (RFC 3021, RFC 6164).
/// - `claim` takes any other address of the subnet, in the range or not.
/// - `claim_any` takes addresses of the range, its first and last included,
///   next-fit: it goes on after the one it gave last and wraps at the end.
///
/// All operations are O(log gaps), also when nothing is free.
class address_book final : public address_pool {
public:
  /// @pre `range`, if any, lies inside `subnet`.
  address_book(const prefix& subnet, const std::optional<prefix>& range);

  result<interface_address> claim(const ip_address& wanted) override;
  result<interface_address> claim_any() override;
  void release(const ip_address& x) override;
  bool is_held(const ip_address& x) const override;
  uint64_t held() const override;
  uint64_t available() const override;

private:
  /// Keeps an address back for good.
  void reserve(const ip_address& x);

  /// Why `x` is kept back, e.g. `the broadcast address`; empty if it is not.
  std::string_view reserved_as(const ip_address& x) const;

  interface_address take(const ip_address& x);

  prefix subnet_;
  prefix range_;
  number_set taken_;      ///< Held and kept back.
  uint128 next_;          ///< Where `claim_any` goes on.
  uint128 held_ = 0;      ///< Without those kept back.
  uint128 free_in_range_; ///< 2^128 - 1 at most: `::` is always kept back.
};

} // namespace troupe::ipam
