#include "troupe/drivers/bridge/endpoint.hpp"
#include "troupe/drivers/steps.hpp"

#include <algorithm>

namespace troupe::drivers {

namespace {

result<void>
announce_inside(netns::kernel& inside, const wanted_endpoint& wanted) {
  auto index = inside.link_index(wanted.interface);
  if (!index)
    return fail(std::move(index.error()));
  auto present = inside.addresses(*index);
  if (!present)
    return fail(std::move(present.error()));
  // The name may be another endpoint's by now.
  if (!missing_addresses(*present, wanted.paths.addresses).empty())
    return fail(ec::not_found,
                "announce " + wanted.interface + ": it has other addresses");
  for (const auto& x : wanted.paths.addresses)
    if (x.address.is_v6())
      if (auto done = inside.announce({*index, x.address, wanted.mac}); !done)
        return done;
  return {};
}

} // namespace

result<void>
announce_bridge_endpoint(netns::kernel& kernel, const wanted_endpoint& wanted) {
  auto bridge = kernel.link_index(wanted.bridge);
  if (!bridge)
    return fail(std::move(bridge.error()));
  for (const auto& x : wanted.paths.addresses) {
    auto done = kernel.del_neighbour({*bridge, x.address, {}});
    if (!done && !is_missing(done.error()))
      return done;
  }
  auto inside = kernel.enter(wanted.ns);
  if (!inside)
    return fail(std::move(inside.error()));
  if (auto done = announce_inside(**inside, wanted); !done)
    return done;
  for (const auto& x : wanted.paths.addresses)
    if (x.address.is_v4())
      if (auto done = kernel.announce({*bridge, x.address, wanted.mac}); !done)
        return done;
  return {};
}

} // namespace troupe::drivers
