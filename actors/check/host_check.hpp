#pragma once

// The invariants of a real machine. Written from the design alone: shares no
// code with the drivers, the doctor or the recovery. Of CAF, LMDB and the
// simulation it knows nothing, so that a small program can have it.

#include "troupe/config/model/instance.hpp"
#include "troupe/netns/audit/audit.hpp"
#include "troupe/netns/audit/connections.hpp"
#include "troupe/persistence/store.hpp"

#include <map>
#include <string>
#include <vector>

namespace troupe::testing {

/// A machine at one instant: what should be, and what is.
struct host_view {
  instance owner;
  persistence::snapshot records;
  netns::audit_view kernel;
  /// What is mounted on each pin, by its name: inodes of namespaces.
  std::multimap<std::string, uint64_t> mounts;
  /// Those that lead elsewhere than they were made to.
  std::vector<netns::audit_connection> connections{};
};

/// What the networks on record promise of packets, for the audit.
std::vector<netns::promised_network>
promises_of(const persistence::snapshot& records, const instance& owner);

/// Compares the kernel with what follows from the records: per bridge network
/// one bridge with the gateways' addresses and its rules; per sandbox one pin;
/// per join one link on the bridge, one interface and its guard; per published
/// port one rule and no other connection translated to a network; default
/// routes to the right gateway; nothing else of ours; and `check_records`.
/// @returns what is wrong, one line each.
std::vector<std::string> check_host(const host_view& seen);

} // namespace troupe::testing
