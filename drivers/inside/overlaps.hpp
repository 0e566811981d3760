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

/// Reads what that needs.
result<std::vector<std::string>>
read_overlaps(netns::kernel& inside, const wanted_paths& wanted);

} // namespace troupe::drivers
