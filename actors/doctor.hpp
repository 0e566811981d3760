#pragma once

#include "troupe/actors/plumbing.hpp"
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
};

/// Every difference between the three, with its repair. Pure. What should be in
/// the kernel is derived from the store's records here, not taken from actors.
std::vector<finding> diagnose(const doctor_views& views, const instance& owner);

} // namespace troupe
