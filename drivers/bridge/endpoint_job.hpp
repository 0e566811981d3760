#pragma once

#include "troupe/drivers/bridge/wanted.hpp"
#include "troupe/netns/undo_stack.hpp"

#include <memory>
#include <optional>

namespace troupe::drivers {

/// One run of creating or mending an endpoint: the kernel objects it works
/// with and what it would have to undo. Private to this folder.
class endpoint_job {
public:
  /// All three must outlive the job.
  endpoint_job(netns::kernel& host, const instance& owner,
               const wanted_endpoint& wanted)
    : host_(host), owner_(owner), wanted_(wanted) {
  }

  /// Brings the endpoint to its wanted state, or leaves things as they were.
  result<void> run();

private:
  // -- endpoint_build.cpp ----------------------------------------------------

  /// Asks for the pair and completes it.
  result<void> build();

  /// Completes a pair that was just made: host end, then inside.
  result<void> complete(int host_end);

  /// A port that learns nothing is told where its endpoint is.
  result<void> bind_mac(int host_end);

  /// Completes the fresh peer inside the namespace.
  result<void> complete_peer();

  /// Nobody's router advertisements or redirects are listened to, addresses
  /// are not checked for duplicates, and without IPv6 in the network there is
  /// none on the peer: in a namespace that others made it would be on.
  result<void> quieten();

  /// Errors: `conflict` if another interface has the subnet or an address;
  /// EEXIST if the endpoint's own is there under another name.
  result<void> refuse_overlaps();

  /// Opens the namespace, once.
  result<void> enter();

  /// Turns IPv6 on for loopback, so that `::1` works where IPv6 does.
  result<void> open_loopback();

  /// A request whose answer got lost may have made the pair; without an alias
  /// it is from a moment ago.
  void remove_half_made();

  // -- endpoint_mend.cpp -----------------------------------------------------

  /// Something of the pair's names is there already: ours to be mended, or
  /// somebody else's. @param taken the kernel's refusal.
  result<void> mend(const error& taken);

  /// The host end is not in the host's namespace any more, e.g. moved into
  /// another one: builds a new pair. @param taken the kernel's refusal.
  result<void> replace_orphan(const error& taken);

  result<void> mend_host_end(const netns::link_info& link);
  result<void> mend_peer(const netns::link_info& link, int host_end);
  result<void> mend_link_local(const netns::link_info& link);
  result<void> mend_gateways(int index);
  result<void> remove_others(int host_end);

  /// The host end is there, its peer is not in the namespace: puts the old
  /// pair aside, builds a new one, deletes the old one last.
  result<void> replace(const netns::link_info& old);

  /// The peer in the namespace: by name and MAC, by MAC if it was renamed, by
  /// name if its MAC was changed.
  result<std::optional<netns::link_info>> find_peer();

  netns::kernel& host_;
  const instance& owner_;
  const wanted_endpoint& wanted_;
  int bridge_ = 0;
  std::unique_ptr<netns::kernel> inside_;
  netns::undo_stack undo_; ///< Last: its steps use all of the above.
};

} // namespace troupe::drivers
