#pragma once

#include "troupe/config/model/field.hpp"
#include "troupe/config/model/network.hpp"
#include "troupe/tools/cni/failure.hpp"

#include <optional>
#include <vector>

namespace troupe::cni {

/// A subnet and what of it may be given out, in host-local's words.
struct range_fields {
  std::optional<std::string> subnet;
  std::optional<ip_address> rangeStart; // NOLINT(readability-identifier-naming)
  std::optional<ip_address> rangeEnd;   // NOLINT(readability-identifier-naming)
  std::optional<ip_address> gateway;

  static constexpr auto fields() {
    return std::tuple{field{"subnet", &range_fields::subnet},
                      field{"rangeStart", &range_fields::rangeStart},
                      field{"rangeEnd", &range_fields::rangeEnd},
                      field{"gateway", &range_fields::gateway}};
  }
};

/// Sets of ranges; an interface gets one address of each.
using range_sets = std::vector<std::vector<range_fields>>;

/// The range as a pool of ours. What is outside of it, where it is no subnet of
/// its own, becomes reserved. Errors: `bad_config`.
outcome<ipam_pool> pool_of(const range_fields& x);

/// One pool for each set. Errors: `bad_config`; `unsupported_field` for several
/// ranges in a set.
outcome<std::vector<ipam_pool>> pools_of(const range_sets& xs);

} // namespace troupe::cni
