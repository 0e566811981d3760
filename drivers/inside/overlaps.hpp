#pragma once

#include "troupe/drivers/inside/paths.hpp"

#include <span>
#include <string>
#include <vector>

namespace troupe::drivers {

/// An address and the name of its interface.
struct named_address {
  std::string interface;
  interface_address address;
};

/// Addresses of other interfaces that are in the endpoint's subnets, or have
/// them in theirs, but for those of other endpoints, which `rules` name: one
/// line each. Pure.
std::vector<std::string> find_overlaps(std::span<const named_address> all,
                                       std::span<const netns::rule_info> rules,
                                       const wanted_paths& wanted);

/// What a sandbox has in the endpoint's subnets beside its interface.
struct subnet_overlaps {
  std::vector<std::string> others; ///< As find_overlaps tells them.
  /// Another interface has the endpoint's address, and rules of ours lead
  /// from it: it is the endpoint's own under another name.
  bool renamed = false;
};

/// Reads it.
result<subnet_overlaps>
read_overlaps(netns::kernel& inside, const wanted_paths& wanted);

} // namespace troupe::drivers
