#pragma once

#include "troupe/netns/firewall/senders.hpp"
#include "troupe/netns/kernel.hpp"

#include <memory>
#include <string>

namespace troupe::netns {

/// Opens the real kernel in the calling thread's namespace, which is the
/// host's to this object: it refuses to adopt it.
/// @param pin_dir Where namespaces are pinned; made if it is not there.
/// @param ours Told who changes the firewall; the one that `watch` has.
result<std::unique_ptr<kernel>>
open_netlink_kernel(const std::string& pin_dir,
                    std::shared_ptr<firewall::sender_list> ours = {});

} // namespace troupe::netns
