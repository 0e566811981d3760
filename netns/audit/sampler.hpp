#pragma once

#include "troupe/netns/audit/audit.hpp"
#include "troupe/netns/audit/sample.hpp"

#include <climits>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <linux/netfilter.h>

/// What packets a promised network has, and where they pass. Private to netns.
namespace troupe::netns {

/// The hook netdev/egress, of Linux 5.16, which older headers lack.
inline constexpr int netdev_egress = 1;

/// A packet, where it is seen, and what it is to a person.
struct sample {
  /// What lets such packets pass and few others.
  enum class permit : uint8_t {
    links,    ///< That of the network it comes from or goes to.
    port,     ///< Its destination.
    loopback, ///< The link `lo`.
    none,     ///< Nothing that can be said in a rule.
  };

  sample_packet packet;
  int hook = 0; ///< NF_INET_…, NF_BR_…, NF_ARP_… or NF_NETDEV_…
  std::string what;
  uint8_t layer = NFPROTO_INET; ///< NFPROTO_BRIDGE, NFPROTO_NETDEV: as frame.
  permit by = permit::links;
  int earliest = INT_MIN; ///< Priorities of the chains that see it so.
  int latest = INT_MAX;
};

using link_map = std::map<std::string, const audit_link*>;

/// The link as samples have it; without a name if there is none.
sample_link to_sample(const link_map& links, const std::string& name);

/// @param uplink The link of the host's default route; empty: there is none.
std::vector<sample>
take_samples(const link_map& links, const promised_network& network,
             const std::string& uplink);

} // namespace troupe::netns
