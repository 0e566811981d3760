#pragma once

#include "troupe/tools/adapter/daemon.hpp"

#include <string>

namespace troupe::adapter {

/// The network that a runtime means.
struct wanted_network {
  /// As the runtime's configuration calls it; for labels and messages.
  std::string title;
  /// Name of ours, or an id if it must exist.
  std::string reference;
  /// What is wanted of it. Only what `states` says is compared with one that
  /// exists.
  network_spec spec;
  bool must_exist = false;
  bool states_families = false; ///< Subnets are given: others contradict.
  bool states_internal = false;
  bool states_driver = false;
};

/// Finds the network or makes it; the same wish finds it again. Errors:
/// `not_found` if it must exist; `conflict` naming both if one exists that is
/// otherwise than wanted, or belongs to another wish; else those of
/// `create_network`.
result<network_status>
find_or_make(daemon_link& daemon, const wanted_network& wanted);

/// In what the network is otherwise than wanted; empty if in nothing.
std::string
contradiction(const wanted_network& wanted, const network_spec& there);

} // namespace troupe::adapter
