#pragma once

#include "troupe/netns/audit/audit.hpp"
#include "troupe/netns/simulated/kernel.hpp"

namespace troupe::testing {

/// What the doctor's reader would report about a simulated machine.
/// @param networks What is promised; of what may keep that from being kept the
///        simulated machine knows forwarding and lost routes.
netns::audit_view
audit_of(const netns::simulated_world& world,
         std::span<const netns::promised_network> networks = {});

} // namespace troupe::testing
