#include "troupe/drivers/uplink.hpp"

#include "troupe/drivers/steps.hpp"

#include <algorithm>
#include <optional>

namespace troupe::drivers {

namespace {

// The default route of the family with the least metric.
std::optional<netns::route_info>
best_default(const std::vector<netns::route_info>& routes, ip_family family) {
  auto best = std::optional<netns::route_info>{};
  for (const auto& x : routes)
    if (!x.destination && x.family == family && x.index > 0
        && (!best || x.metric < best->metric))
      best = x;
  return best;
}

} // namespace

result<uint32_t> uplink_mtu(netns::kernel& kernel) {
  auto routes = kernel.routes();
  if (!routes)
    return fail(std::move(routes.error()));
  auto result = uint32_t{0};
  for (auto family : {ip_family::v4, ip_family::v6}) {
    auto route = best_default(*routes, family);
    if (!route)
      continue;
    auto link = kernel.link(route->index);
    if (!link && is_missing(link.error()))
      continue; // It is going away.
    if (!link)
      return fail(std::move(link.error()));
    result = result == 0 ? link->mtu_bytes : std::min(result, link->mtu_bytes);
  }
  return result;
}

} // namespace troupe::drivers
