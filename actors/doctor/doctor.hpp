#pragma once

#include "troupe/actors/core/plumbing.hpp"
#include "troupe/config/model/instance.hpp"

namespace troupe {

/// What the doctor compares: three views of the same world.
struct doctor_views {
  persistence::snapshot store;
  std::vector<network_status> networks; ///< As the actors say.
  std::vector<endpoint_status> endpoints;
  std::vector<sandbox_status> sandboxes;
  netns::audit_view kernel; ///< Read by code of its own.
  bool has_kernel = true;   ///< False: nothing reads the kernel.
  bool ip_forward = true;   ///< The host's forwarding is ours to switch on.
};

/// What the networks on record promise of packets. Pure.
std::vector<netns::promised_network>
promises_of(const persistence::snapshot& records, const instance& owner);

/// A way that the doctor sends packets along.
struct promised_way {
  netns::path_probe way;
  std::string object; ///< Whose way it is, as in a finding.
  std::string what;   ///< e.g. `its gateway 10.1.0.1`.
};

/// The ways of all endpoints in sandboxes: to the gateways, to the next
/// endpoint of the network (if they may talk), from the host to the endpoint
/// and to its published ports. Pure.
std::vector<promised_way>
ways_of(const persistence::snapshot& records, const instance& owner);

/// What the doctor has seen.
struct diagnosis {
  std::vector<finding> findings;
  std::vector<std::string> links; ///< Carry our tag and belong to no record.
  std::vector<std::string> pins;  ///< Likewise.

  bool has_leftovers() const {
    return !links.empty() || !pins.empty();
  }
};

/// What of the records' links, routes, rules and neighbours differs in the
/// kernel: the part of the diagnosis that needs no daemon. Pure.
std::vector<finding>
compare_links(const persistence::snapshot& records,
              const netns::audit_view& kernel, const instance& owner);

/// Every difference between the three, with its repair, and everything else
/// that keeps promised traffic from flowing. Pure. What should be in the kernel
/// is derived from the store's records here, not taken from actors.
diagnosis diagnose(const doctor_views& views, const instance& owner);

} // namespace troupe
