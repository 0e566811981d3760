#pragma once

#include "troupe/tools/adapter/daemon.hpp"
#include "troupe/tools/adapter/names.hpp"
#include "troupe/tools/adapter/namespace.hpp"

#include <vector>

namespace troupe::adapter {

/// What an attachment is to become.
struct wanted_attachment {
  attachment_id id;
  std::string network;    ///< Reference of ours.
  endpoint_spec endpoint; ///< Name and labels are filled in.
  /// Of several interfaces the one with the lowest number in its name leads
  /// out, not that of the network that comes first by name.
  bool ranks_by_name = true;
};

/// What became of it.
struct attached {
  endpoint_status endpoint;
  bool gives_default_v4 = false; ///< Its gateway is the container's.
  bool gives_default_v6 = false;
};

/// Puts an interface into the container's namespace, making the sandbox if this
/// is its first. Errors: `conflict` if another sandbox has the namespace, or
/// the container has the interface already; else those of the requests. Nothing
/// is left, unless nobody knows (`is_outcome_unknown`): then `detach`.
result<attached> attach(daemon_link& daemon, const wanted_attachment& wanted,
                        const open_namespace& where);

/// Takes away whatever there is of an attachment, and the sandbox with the last
/// one; fine if there is nothing. Without a network: all of the container.
result<void> detach(daemon_link& daemon, const attachment_id& id);

/// The endpoint of an attachment; `not_found` if there is none.
result<endpoint_status> find(daemon_link& daemon, const attachment_id& id);

/// All attachments that a runtime has on one of its networks, and sandboxes
/// that have none (their interface is empty).
result<std::vector<attachment_id>>
list(daemon_link& daemon, const std::string& runtime,
     const std::string& network);

} // namespace troupe::adapter
