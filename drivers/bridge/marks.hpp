#pragma once

#include "troupe/config/model/address.hpp"
#include "troupe/config/model/instance.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::drivers {

/// What we did to a bridge that is not ours, written into its alias before it
/// is done, so that it can be taken back by whoever comes next, even after a
/// crash in the middle and without any record:
///
///     <the alias it had> troupe:<instance>:<network id>+up+10.1.0.1/24
struct bridge_mark {
  std::string alias_before;
  std::string network; ///< Id of the network that uses the bridge.
  bool raised = false; ///< The bridge was down.
  bool opened = false; ///< IPv6 was off on it.
  /// Somebody deleted it and it was made anew: what its owner had on it or in
  /// it is missing.
  bool rebuilt = false;
  std::vector<interface_address> addresses; ///< Those we added.
};

/// @returns nothing if the alias carries no mark of this owner.
std::optional<bridge_mark>
parse_mark(const instance& owner, std::string_view alias);

/// The alias that carries the mark.
std::string to_alias(const instance& owner, const bridge_mark& mark);

} // namespace troupe::drivers
