#pragma once

#include "troupe/netns/audit/audit.hpp"

#include <span>
#include <vector>

/// What else can keep packets back: IPsec policies and traffic control.
/// Private to netns.
namespace troupe::netns {

/// `ip xfrm policy`: those that block, or want a protection that nobody gives.
result<std::vector<obstruction>>
find_policies(std::span<const promised_network> networks);

/// `tc`: queues and filters that drop everything, on links of ours. Others may
/// be meant, e.g. as a limit.
result<std::vector<obstruction>>
find_queues(const std::vector<audit_link>& links,
            std::span<const promised_network> networks);

} // namespace troupe::netns
