#pragma once

#include "troupe/drivers/ipam/driver.hpp"
#include "troupe/drivers/ipam/number_set.hpp"

#include <array>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace troupe::ipam {

/// The subnets claimed in one address space. Claimed subnets never overlap; a
/// subnet may be claimed several times, each time with a different range, and
/// is free again when the last claim is released.
class address_space {
public:
  /// @param predefined both families, each `normalised`.
  address_space(std::string name, std::vector<predefined_pool> predefined);

  /// Claims a given subnet. Errors: `conflict`, naming the claimed subnet that
  /// overlaps, or the range that is claimed already.
  result<pool_lease>
  claim(const prefix& subnet, const std::optional<prefix>& range);

  /// Claims the lowest free predefined subnet of a family.
  /// @param length of the wanted subnet; empty: as the pools say.
  /// @param exclude what it must not overlap beside the claimed ones.
  /// Errors: `unavailable`; `invalid_argument` for a length no pool can give.
  result<pool_lease> claim_any(ip_family family, std::optional<uint8_t> length,
                               const std::vector<prefix>& exclude);

  /// @returns false for an unknown id.
  bool release(const std::string& id);

private:
  /// The claimed subnet that shares an address with `x`, or null.
  const prefix* overlapping(const prefix& x) const;

  pool_lease remember(const prefix& subnet, const std::optional<prefix>& range);

  std::string name_;
  std::vector<predefined_pool> predefined_;
  std::map<std::string, prefix> leases_;            ///< Subnet by lease id.
  std::map<prefix, std::set<std::string>> subnets_; ///< Lease ids by subnet.
  std::array<number_set, 2> taken_;                 ///< The same, by family.
};

} // namespace troupe::ipam
