#include "troupe/drivers/bridge/loopback.hpp"

namespace troupe::drivers {

using netns::sysctl;

result<void> close_loopback(netns::kernel& inside) {
  auto off_by_default = inside.read_sysctl(sysctl::ipv6_disable, "default");
  if (!off_by_default)
    return fail(std::move(off_by_default.error()));
  if (*off_by_default == 0)
    return {};
  auto links = inside.links();
  if (!links)
    return fail(std::move(links.error()));
  for (const auto& link : *links) {
    if (link.name == "lo")
      continue;
    auto off = inside.read_sysctl(sysctl::ipv6_disable, link.name);
    if (!off)
      return fail(std::move(off.error()));
    if (*off == 0)
      return {};
  }
  return inside.set_sysctl(sysctl::ipv6_disable, "lo", 1);
}

} // namespace troupe::drivers
