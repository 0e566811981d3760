#pragma once

#include "troupe/tests/system/model/table.hpp"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace troupe::test::reach {

/// Somebody else on the host. The first half is ours to mend, at once; the
/// rest is not, but must be named while traffic suffers from it.
enum class hand : uint8_t {
  delete_route,    ///< The connected route of a bridge.
  flush_address,   ///< Of a bridge.
  link_down,       ///< A host end.
  link_renamed,    ///< Likewise.
  link_moved,      ///< To another namespace.
  link_deleted,    ///< A host end.
  bridge_down,     ///<
  bridge_deleted,  ///<
  inside_route,    ///< All routes of a sandbox.
  inside_down,     ///< An interface of a sandbox.
  wrong_neighbour, ///< A permanent entry for an endpoint's address.
  pin_unmounted,   ///<
  rules_flushed,   ///< `nft flush ruleset`.
  proxy_killed,    ///<
  forwarding_off,  ///< `all.forwarding` of a family; ours to tell from here.
  bridge_forwarding_off, ///< `forwarding` of a bridge.
  foreign_drop,          ///< A rule that drops what is forwarded.
  port_taken, ///< The proxy is killed, and another program has its port.
};
inline constexpr int hand_count = 18;

/// Is it enough to name it?
bool is_only_told(hand x);

/// What is done to the daemon while it works on a request.
enum class blow : uint8_t { none, crash_before, crash_after, kill };

struct step {
  enum class kind : uint8_t {
    attach,
    detach,
    publish,
    unpublish,
    replace_sandbox, ///< Removed and made anew.
    replace_network, ///< Likewise, with another mode; only without endpoints.
    new_clients,     ///< All flows begin anew, from other ports.
    restart,
    kill,
    foreign,
  };
  kind what = kind::attach;
  int sandbox = 0;
  int network = 0;
  int address = 0;
  int priority = 0;
  reach::port port;
  reach::network as;
  blow hit = blow::none;
  int call = 0; ///< Number of the kernel call, for crashes.
  int wait_us = 0;
  hand by = hand::delete_route;
  bool v6 = false;
  bool renew = false; ///< All flows begin anew once it is done.

  std::string text() const;
};

/// Changes the state as the step does. @returns false if it does not apply.
bool apply(state& now, const step& what);

/// All that a seed decides.
struct plan {
  unsigned long seed = 0;
  std::array<network, network_count> networks;
  std::vector<step> steps;

  state start() const;
  std::string text() const;
};

/// What takes part in a plan.
struct scope {
  std::vector<hand> hands;
  bool v6 = true;            ///< Networks with IPv6.
  bool many_networks = true; ///< Sandboxes in several networks.
  bool old_flows = true;     ///< Flows that are older than the port they want.
};

plan make_plan(unsigned long seed, int steps, const scope& what);

/// A short part of a plan that still fails: leaves out halves, quarters, …
/// @param fails runs a plan.
/// @param most_runs how often at most.
template <class F>
plan shrink(plan failing, F&& fails, int most_runs) {
  for (auto chunk = failing.steps.size(); chunk > 0; chunk /= 2)
    for (auto at = size_t{0}; at < failing.steps.size();) {
      auto less = failing;
      auto from = less.steps.begin() + static_cast<ptrdiff_t>(at);
      less.steps.erase(
        from,
        from + static_cast<ptrdiff_t>(std::min(chunk, less.steps.size() - at)));
      if (most_runs-- <= 0)
        return failing;
      if (fails(less))
        failing = std::move(less);
      else
        at += chunk;
    }
  return failing;
}

/// The names of the kernel calls at which the daemon dies.
const std::vector<std::string>& crash_calls();

} // namespace troupe::test::reach
