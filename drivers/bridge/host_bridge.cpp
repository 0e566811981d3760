#include "troupe/drivers/bridge/host_bridge.hpp"

#include "troupe/drivers/bridge/marks.hpp"
#include "troupe/drivers/steps.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace troupe::drivers {

namespace {

using netns::kernel;
using netns::sysctl;
using netns::undo_stack;

constexpr size_t longest_alias = 255;

using address_list = std::vector<interface_address>;

bool holds(const address_list& xs, const ip_address& x) {
  return std::any_of(xs.begin(), xs.end(), [&](const auto& y) {
    return y.address == x;
  });
}

result<void> take_addresses_back(kernel& k, undo_stack& undo, int index,
                                 const address_list& ours) {
  auto present = k.addresses(index);
  if (!present)
    return fail(std::move(present.error()));
  for (const auto& x : ours) {
    if (std::find(present->begin(), present->end(), x) == present->end())
      continue;
    undo.push([&k, index, x] {
      (void)k.add_address(index, x);
    });
    if (auto done = k.del_address(index, x); !done)
      return done;
  }
  return {};
}

result<void>
close_ipv6(kernel& k, undo_stack& undo, const netns::link_info& bridge) {
  auto present = k.addresses(bridge.index);
  if (!present)
    return fail(std::move(present.error()));
  for (const auto& x : *present)
    if (x.address.is_v6())
      return {};
  return change_sysctl(k, undo, sysctl::ipv6_disable, bridge.name, 1);
}

result<void>
lower(kernel& k, undo_stack& undo, const netns::link_info& bridge) {
  auto links = k.links();
  if (!links)
    return fail(std::move(links.error()));
  for (const auto& x : *links)
    if (x.master == bridge.index)
      return {};
  auto change = netns::link_change{};
  change.up = false;
  return change_link(k, undo, bridge, change);
}

result<void> write_alias(kernel& k, undo_stack& undo,
                         const netns::link_info& bridge, std::string alias) {
  auto change = netns::link_change{};
  change.alias = std::move(alias);
  return change_link(k, undo, bridge, change);
}

// What has to be done to the bridge beside what was done already.
result<bridge_mark>
plan_mark(kernel& k, const instance& owner, const netns::link_info& bridge,
          const wanted_bridge& wanted) {
  auto mark = parse_mark(owner, bridge.alias);
  if (!mark) {
    mark.emplace();
    mark->alias_before = bridge.alias;
    mark->network = wanted.id;
  }
  mark->raised |= !bridge.up;
  if (wanted.has_ipv6) {
    auto is_off = k.read_sysctl(sysctl::ipv6_disable, bridge.name);
    if (!is_off)
      return fail(std::move(is_off.error()));
    mark->opened |= *is_off == 1;
  }
  auto present = k.addresses(bridge.index);
  if (!present)
    return fail(std::move(present.error()));
  for (const auto& x : wanted.addresses)
    if (!holds(*present, x.address) && !holds(mark->addresses, x.address))
      mark->addresses.push_back(x);
  return *mark;
}

} // namespace

result<void>
use_host_bridge(kernel& k, undo_stack& undo, const instance& owner,
                const netns::link_info& bridge, const wanted_bridge& wanted) {
  auto mark = plan_mark(k, owner, bridge, wanted);
  if (!mark)
    return fail(std::move(mark.error()));
  auto alias = to_alias(owner, *mark);
  if (alias.size() > longest_alias)
    return fail(
      ec::forbidden,
      fmt::format("bridge {}: its alias has no room for our mark", bridge.name),
      fmt::format("shorten it: ip link set {} alias TEXT", bridge.name));
  if (auto done = write_alias(k, undo, bridge, std::move(alias)); !done)
    return done;
  if (wanted.has_ipv6)
    if (auto done
        = change_sysctl(k, undo, sysctl::ipv6_disable, bridge.name, 0);
        !done)
      return done;
  auto change = netns::link_change{};
  change.up = true;
  if (auto done = change_link(k, undo, bridge, change); !done)
    return done;
  if (auto done = add_missing_addresses(k, undo, bridge.index, mark->addresses);
      !done)
    return done;
  return restore_routes(k, bridge.index, mark->addresses);
}

result<void> release_host_bridge(kernel& k, const instance& owner,
                                 const netns::link_info& bridge) {
  auto mark = parse_mark(owner, bridge.alias);
  if (!mark)
    return {};
  auto undo = undo_stack{};
  if (auto done = take_addresses_back(k, undo, bridge.index, mark->addresses);
      !done)
    return done;
  if (mark->opened)
    if (auto done = close_ipv6(k, undo, bridge); !done)
      return done;
  if (mark->raised)
    if (auto done = lower(k, undo, bridge); !done)
      return done;
  // The mark goes last: as long as it is there, this can be repeated.
  if (auto done = write_alias(k, undo, bridge, mark->alias_before); !done)
    return done;
  undo.commit();
  return {};
}

} // namespace troupe::drivers
