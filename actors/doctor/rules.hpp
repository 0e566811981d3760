#pragma once

#include "troupe/actors/api/messages.hpp"
#include "troupe/config/model/instance.hpp"
#include "troupe/persistence/store.hpp"

#include <string>
#include <vector>

namespace troupe {

/// Differences between the firewall as `nft` prints it and what the records ask
/// for. Pure.
/// @param printed What `nft -j list table` says of each of our tables; empty if
///        there are none.
std::vector<finding>
diagnose_rules(const persistence::snapshot& records,
               const std::vector<std::string>& printed, const instance& owner);

} // namespace troupe
