#pragma once

// The firewall's part of `check_host`, and what both parts know of names and
// options: the drivers' knowledge, spelt out again on purpose.

#include "troupe/netns/audit/connections.hpp"
#include "troupe/persistence/store.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace troupe::testing {

/// A driver option by the end of its label: `bridge.name` finds
/// `com.docker.network.bridge.name`, and its short form. Empty: not given.
std::string option_of(const text_map& options, std::string_view label);

std::string bridge_of(const network_spec& x);
std::string host_end_of(const endpoint_id& id);

/// Do the network's endpoints reach each other directly?
bool connects_endpoints(const network_spec& x);

/// Has the bridge the gateway's address of this family?
bool is_on_bridge(const network_spec& x, ip_family family);

/// Do its packets get an address of the host when they leave?
bool is_masqueraded(const network_spec& x, ip_family family);

/// @param printed what `nft -j` says about our tables.
std::vector<std::string> check_rules(const persistence::snapshot& records,
                                     const std::vector<std::string>& printed);

/// Which of the translated connections lead into a network without a published
/// port that says so.
std::vector<std::string>
check_connections(const persistence::snapshot& records,
                  const std::vector<netns::audit_connection>& seen);

} // namespace troupe::testing
