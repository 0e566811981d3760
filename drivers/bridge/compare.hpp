#pragma once

#include "troupe/drivers/bridge/wanted.hpp"

#include <string>
#include <vector>

/// What differs, one line each; the only list of these comparisons. Pure.
/// Private to this folder.
namespace troupe::drivers {

/// @param is_ours Made by us; of a bridge of the user's less is wanted.
std::vector<std::string>
compare_bridge(const instance& owner, const seen_interface& seen,
               const wanted_bridge& wanted, bool is_ours);

/// @param is_in_bridge Its master is the network's bridge.
std::vector<std::string>
compare_host_end(const netns::link_info& link, const wanted_endpoint& wanted,
                 bool is_in_bridge);

/// @param seen With the rules of its namespace.
std::vector<std::string>
compare_peer(const seen_interface& seen, const wanted_endpoint& wanted);

} // namespace troupe::drivers
