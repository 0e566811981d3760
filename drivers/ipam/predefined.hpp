#pragma once

#include "troupe/drivers/ipam/driver.hpp"

#include <string_view>
#include <vector>

namespace troupe::ipam {

/// libnetwork's list: 172.17.0.0/16 to 172.31.0.0/16 and the sixteen /20 of
/// 192.168.0.0/16, in all 31 networks.
std::vector<predefined_pool> default_local_pools();

/// libnetwork's list: the 65 536 /24 of 10.0.0.0/8.
std::vector<predefined_pool> default_global_pools();

/// 65 536 /64 out of a /48 of the unique local addresses (RFC 4193), whose 40
/// "global id" bits are a hash of the seed: the same on every start, different
/// from host to host.
predefined_pool ula_pool(std::string_view seed);

/// Sorts, and drops what lies inside another base. Errors: `invalid_argument`
/// for a length below the base's or above the family's.
result<std::vector<predefined_pool>>
normalised(std::vector<predefined_pool> pools);

} // namespace troupe::ipam
