#include "troupe/drivers/bridge/compare.hpp"
#include "troupe/drivers/bridge/device.hpp"
#include "troupe/drivers/bridge/endpoint.hpp"
#include "troupe/drivers/bridge/host_end.hpp"
#include "troupe/drivers/bridge/neighbours.hpp"
#include "troupe/drivers/differences.hpp"
#include "troupe/drivers/inside/overlaps.hpp"
#include "troupe/drivers/steps.hpp"

#include <iterator>

namespace troupe::drivers {

namespace {

using netns::kernel;
using netns::link_info;
using netns::sysctl;

using lines = std::vector<std::string>;

result<seen_interface> see(kernel& k, link_info link) {
  auto addresses = k.addresses(link.index);
  if (!addresses)
    return fail(std::move(addresses.error()));
  auto routes = k.link_routes(link.index);
  if (!routes)
    return fail(std::move(routes.error()));
  return seen_interface{
    std::move(link), {}, std::move(*addresses), std::move(*routes), {}};
}

result<void> compare_ipv6(kernel& k, differences& found,
                          const std::string& name, bool wanted) {
  auto off = k.read_sysctl(sysctl::ipv6_disable, name);
  if (!off) {
    if (!is_missing(off.error()))
      return fail(std::move(off.error()));
    found.expect(!wanted, "has no IPv6");
    return {};
  }
  found.expect((*off == 0) == wanted, wanted ? "IPv6 is off" : "IPv6 is on");
  return {};
}

// What only the kernel's settings tell.
result<lines>
compare_bridge_settings(kernel& k, const link_info& link,
                        const wanted_bridge& wanted, bool is_ours) {
  auto found = differences{wanted.name};
  if (is_ours) {
    auto is_closed = lacks_forwarding(k, link.name, wanted);
    if (!is_closed)
      return fail(std::move(is_closed.error()));
    found.expect(!*is_closed, "IPv4 forwarding is off");
  }
  if (is_ours || wanted.has_ipv6)
    if (auto done = compare_ipv6(k, found, link.name, wanted.has_ipv6); !done)
      return fail(std::move(done.error()));
  return found.take();
}

void append(lines& to, lines&& from) {
  to.insert(to.end(), std::make_move_iterator(from.begin()),
            std::make_move_iterator(from.end()));
}

result<lines> inspect_peer(kernel& inside, const wanted_endpoint& wanted,
                           const std::optional<link_info>& bridge) {
  auto found = differences{wanted.interface};
  auto index = inside.link_index(wanted.interface);
  if (!index) {
    if (!is_missing(index.error()))
      return fail(std::move(index.error()));
    found.note("is missing in the sandbox");
    return found.take();
  }
  auto link = inside.link(*index);
  if (!link)
    return fail(std::move(link.error()));
  auto seen = see(inside, std::move(*link));
  if (!seen)
    return fail(std::move(seen.error()));
  auto rules = inside.rules();
  if (!rules)
    return fail(std::move(rules.error()));
  seen->rules = std::move(*rules);
  auto off = inside.read_sysctl(sysctl::ipv6_disable, wanted.interface);
  if (!off && !is_missing(off.error()))
    return fail(std::move(off.error()));
  if (off)
    found.expect((*off == 0) == wanted.has_ipv6,
                 wanted.has_ipv6 ? "IPv6 is off" : "IPv6 is on");
  if (bridge) {
    auto wrong = wrong_gateways(inside, *index, wanted, *bridge);
    if (!wrong)
      return fail(std::move(wrong.error()));
    for (const auto& x : *wrong)
      found.note(describe_wrong(x));
  }
  auto overlaps = read_overlaps(inside, wanted.paths);
  if (!overlaps)
    return fail(std::move(overlaps.error()));
  for (const auto& line : overlaps->others)
    found.note(line);
  auto result = compare_peer(*seen, wanted);
  append(result, found.take());
  return result;
}

result<lines> inspect_inside(kernel& k, const wanted_endpoint& wanted,
                             const std::optional<link_info>& bridge) {
  auto inside = k.enter(wanted.ns);
  if (!inside) {
    if (!is_missing(inside.error()))
      return fail(std::move(inside.error()));
    auto found = differences{wanted.interface};
    found.note("its namespace is gone");
    return found.take();
  }
  return inspect_peer(**inside, wanted, bridge);
}

} // namespace

result<lines>
inspect_bridge(kernel& k, const instance& owner, const wanted_bridge& wanted) {
  auto bridge = find_bridge(k, owner, wanted);
  if (!bridge)
    return fail(std::move(bridge.error()));
  if (!*bridge) {
    auto found = differences{wanted.name};
    found.note("is missing");
    return found.take();
  }
  const auto& [link, is_ours] = **bridge;
  auto seen = see(k, link);
  if (!seen)
    return fail(std::move(seen.error()));
  auto result = compare_bridge(owner, *seen, wanted, is_ours);
  auto settings = compare_bridge_settings(k, link, wanted, is_ours);
  if (!settings)
    return settings;
  append(result, std::move(*settings));
  return result;
}

result<lines> inspect_bridge_endpoint(kernel& k, const instance& owner,
                                      const wanted_endpoint& wanted) {
  auto found = differences{wanted.name};
  auto link = find_host_end(k, owner, wanted.name, wanted.id);
  if (!link) {
    if (link.error().code != ec::conflict)
      return fail(std::move(link.error()));
    found.note("exists and is not ours");
    return found.take();
  }
  if (!*link) {
    found.note("is missing");
    return found.take();
  }
  auto bridge = find_master(k, wanted);
  if (!bridge)
    return fail(std::move(bridge.error()));
  auto result = compare_host_end(
    **link, wanted, *bridge && (*bridge)->index == (*link)->master);
  if (*bridge) {
    auto wrong = wrong_neighbours(k, owner, wanted, **bridge);
    if (!wrong)
      return fail(std::move(wrong.error()));
    for (const auto& x : *wrong)
      found.note(describe_wrong(x));
  }
  append(result, found.take());
  auto inside = inspect_inside(k, wanted, *bridge);
  if (!inside)
    return inside;
  append(result, std::move(*inside));
  return result;
}

} // namespace troupe::drivers
