#pragma once

#include "troupe/drivers/bridge/wanted.hpp"

#include <optional>
#include <string>
#include <vector>

/// Entries of neighbour tables that lead packets of an endpoint elsewhere: on
/// the host's bridge for its addresses, in its sandbox for the gateways.
/// Private to this folder.
namespace troupe::drivers {

/// Such an entry.
struct wrong_neighbour {
  netns::neighbour_info entry;
  mac_address wanted;
};

/// e.g. `neighbour entry 10.1.0.2 is 02:…, not 02:…`. Pure.
std::string describe_wrong(const wrong_neighbour& x);

/// The network's bridge; nothing if it is not there.
result<std::optional<netns::link_info>>
find_master(netns::kernel& host, const wanted_endpoint& wanted);

/// Those on a bridge of ours; a user's is the user's.
result<std::vector<wrong_neighbour>>
wrong_neighbours(netns::kernel& host, const instance& owner,
                 const wanted_endpoint& wanted, const netns::link_info& bridge);

/// Those on the endpoint's interface.
result<std::vector<wrong_neighbour>>
wrong_gateways(netns::kernel& inside, int index, const wanted_endpoint& wanted,
               const netns::link_info& bridge);

/// Forgets them: the kernel asks anew. Nobody wants the inverse.
result<void> forget_neighbours(netns::kernel& kernel,
                               const std::vector<wrong_neighbour>& wrong);

} // namespace troupe::drivers
