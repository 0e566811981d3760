#include "troupe/drivers/bridge/host_bridge.hpp"

#include "troupe/drivers/address_routes.hpp"
#include "troupe/drivers/bridge/marks.hpp"
#include "troupe/drivers/steps.hpp"
#include "troupe/netns/link_local.hpp"

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

// Without one nothing gets to the containers; the kernel makes it when the
// bridge gets its first port.
bool is_link_local(const interface_address& x) {
  return netns::is_made_of_mac(x.address);
}

result<void> take_addresses_back(kernel& k, undo_stack& undo, int index,
                                 const address_list& ours) {
  auto present = k.addresses(index);
  if (!present)
    return fail(std::move(present.error()));
  for (const auto& x : ours) {
    if (is_link_local(x)) {
      if (auto done = drop_link_local(k, undo, index, x); !done)
        return done;
      continue;
    }
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

result<bool> has_ports(kernel& k, const netns::link_info& bridge) {
  auto links = k.links();
  if (!links)
    return fail(std::move(links.error()));
  return std::ranges::any_of(*links, [&](const auto& x) {
    return x.master == bridge.index;
  });
}

result<void>
lower(kernel& k, undo_stack& undo, const netns::link_info& bridge) {
  auto serves = has_ports(k, bridge);
  if (!serves)
    return fail(std::move(serves.error()));
  if (*serves)
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

result<void>
add_addresses(kernel& k, undo_stack& undo, int index, address_list ours) {
  const auto own = std::ranges::find_if(ours, is_link_local);
  if (own != ours.end()) {
    auto routes = k.link_routes(index);
    if (!routes)
      return fail(std::move(routes.error()));
    if (!has_link_local(*routes))
      if (auto done = add_link_local(k, undo, index, *own); !done)
        return done;
    ours.erase(own);
  }
  if (auto done = add_missing_addresses(k, undo, index, ours); !done)
    return done;
  return restore_routes(k, undo, index, ours);
}

// The kernel takes IPv6 off links with a small MTU, settings and all.
result<void>
check_ipv6(const netns::link_info& bridge, const wanted_bridge& wanted) {
  constexpr uint32_t least_mtu = 1280; // RFC 8200, section 5.
  if (!wanted.has_ipv6 || bridge.mtu_bytes >= least_mtu)
    return {};
  return fail(
    ec::forbidden,
    fmt::format("bridge {}: its MTU of {} bytes is too small for IPv6",
                bridge.name, bridge.mtu_bytes),
    fmt::format("ip link set {} mtu {}", bridge.name, least_mtu));
}

wanted_bridge without_ipv6(wanted_bridge x) {
  x.has_ipv6 = false;
  x.addresses = addresses_of(ip_family::v4, x.addresses);
  x.link_local.reset();
  return x;
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
  if (!wanted.link_local || std::ranges::any_of(mark->addresses, is_link_local))
    return *mark;
  auto routes = k.link_routes(bridge.index);
  if (!routes)
    return fail(std::move(routes.error()));
  if (!has_link_local(*routes))
    mark->addresses.push_back(netns::link_local_of(bridge.mac));
  return *mark;
}

// What to write on it.
result<std::string>
fitting_alias(const instance& owner, const netns::link_info& bridge,
              const bridge_mark& mark) {
  auto alias = to_alias(owner, mark);
  if (alias.size() > longest_alias)
    return fail(
      ec::forbidden,
      fmt::format("bridge {}: its alias has no room for our mark", bridge.name),
      fmt::format("shorten it: ip link set {} alias TEXT", bridge.name));
  return alias;
}

} // namespace

result<void>
check_host_bridge(kernel& k, const instance& owner,
                  const netns::link_info& bridge, const wanted_bridge& wanted) {
  if (auto fits = check_ipv6(bridge, wanted); !fits)
    return fits;
  auto mark = plan_mark(k, owner, bridge, wanted);
  if (!mark)
    return fail(std::move(mark.error()));
  auto alias = fitting_alias(owner, bridge, *mark);
  return alias ? result<void>{} : fail(std::move(alias.error()));
}

result<void>
use_host_bridge(kernel& k, undo_stack& undo, const instance& owner,
                const netns::link_info& bridge, wanted_bridge wanted,
                step_sequence::after_failure on_failure) {
  auto steps = step_sequence{on_failure};
  if (auto fits = check_ipv6(bridge, wanted); !fits) {
    if (on_failure == step_sequence::after_failure::stop)
      return fits;
    wanted = without_ipv6(std::move(wanted));
    steps.then([&] {
      return fits;
    });
  }
  auto mark = plan_mark(k, owner, bridge, wanted);
  if (!mark)
    return fail(std::move(mark.error()));
  auto alias = fitting_alias(owner, bridge, *mark);
  if (!alias)
    return fail(std::move(alias.error()));
  steps.then([&] {
    return write_alias(k, undo, bridge, std::move(*alias));
  });
  if (wanted.has_ipv6)
    steps.then([&] {
      return change_sysctl(k, undo, sysctl::ipv6_disable, bridge.name, 0);
    });
  steps.then([&] {
    auto change = netns::link_change{};
    change.up = true;
    return change_link(k, undo, bridge, change);
  });
  for (auto family : {ip_family::v4, ip_family::v6})
    steps.then([&] {
      auto ours = addresses_of(family, mark->addresses);
      return add_addresses(k, undo, bridge.index, std::move(ours));
    });
  return steps.end();
}

result<void> release_host_bridge(kernel& k, const instance& owner,
                                 const netns::link_info& bridge) {
  auto mark = parse_mark(owner, bridge.alias);
  if (!mark)
    return {};
  auto undo = undo_stack{};
  auto ours = mark->addresses;
  // By now the kernel would have made it itself.
  if (std::ranges::any_of(ours, is_link_local)) {
    auto serves = has_ports(k, bridge);
    if (!serves)
      return fail(std::move(serves.error()));
    if (*serves)
      std::erase_if(ours, is_link_local);
  }
  if (auto done = take_addresses_back(k, undo, bridge.index, ours); !done)
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
