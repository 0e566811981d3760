#include "troupe/drivers/bridge/device.hpp"

#include "troupe/drivers/address_routes.hpp"
#include "troupe/drivers/bridge/host_bridge.hpp"
#include "troupe/drivers/bridge/marks.hpp"
#include "troupe/drivers/steps.hpp"
#include "troupe/drivers/tags.hpp"
#include "troupe/netns/link_local.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

namespace troupe::drivers {

namespace {

using netns::kernel;
using netns::link_info;
using netns::sysctl;
using netns::undo_stack;

using maybe_link = std::optional<link_info>;

constexpr std::string_view bridge_kind = "bridge";

result<maybe_link> link_by_name(kernel& k, const std::string& name) {
  auto index = k.link_index(name);
  if (!index) {
    if (is_missing(index.error()))
      return maybe_link{};
    return fail(std::move(index.error()));
  }
  auto link = k.link(*index);
  if (!link)
    return fail(std::move(link.error()));
  return maybe_link{std::move(*link)};
}

bool is_marked_for(const instance& owner, const link_info& link,
                   const std::string& id) {
  auto mark = parse_mark(owner, link.alias);
  return mark && mark->network == id;
}

// Why a bridge that does not carry this network's tag cannot be used.
result<void> check_usable(const instance& owner, const link_info& link,
                          const wanted_bridge& wanted) {
  if (link.kind != bridge_kind)
    return fail(ec::conflict,
                fmt::format("existing interface {} is not a bridge", link.name),
                "give another bridge name");
  auto holder = tagged_id(owner, link.alias);
  if (auto mark = parse_mark(owner, link.alias))
    holder = mark->network;
  if (!holder.empty())
    return fail(ec::conflict, fmt::format("bridge {}: belongs to network {}",
                                          link.name, holder.substr(0, 12)));
  if (link.alias.find("troupe:") != std::string::npos)
    return fail(ec::conflict, fmt::format("bridge {}: belongs to another "
                                          "troupe daemon on this host",
                                          link.name));
  if (!wanted.is_named)
    return fail(ec::conflict,
                fmt::format("bridge {}: exists and is not ours", link.name),
                fmt::format("delete it: ip link del {}", link.name));
  return {};
}

result<void>
set_sysctls(kernel& k, undo_stack& undo, const wanted_bridge& wanted) {
  auto off = k.read_sysctl(sysctl::ipv6_disable, wanted.name);
  // A kernel without IPv6 will do for a network without IPv6.
  if (!off && is_missing(off.error()) && !wanted.has_ipv6)
    return {};
  struct row {
    sysctl key;
    int value;
  };
  // Without a usable link-local address, which the kernel would first look for
  // duplicates of, it asks for no neighbour: forwarding would wait two seconds.
  const row rows[] = {{sysctl::ipv6_accept_ra, 0},
                      {sysctl::ipv6_accept_redirects, 0},
                      {sysctl::ipv6_accept_dad, 0},
                      {sysctl::ipv6_addr_gen_mode, 0},
                      {sysctl::ipv6_disable, wanted.has_ipv6 ? 0 : 1}};
  for (const auto& [key, value] : rows)
    if (auto done = change_sysctl(k, undo, key, wanted.name, value); !done)
      return done;
  return {};
}

// A setting of the host's own that is off is not the bridge's business. A new
// bridge takes over what `default` says, which need not be the same.
result<void>
open_forwarding(kernel& k, undo_stack& undo, const wanted_bridge& wanted) {
  auto is_closed = lacks_forwarding(k, wanted.name, wanted);
  if (!is_closed)
    return fail(std::move(is_closed.error()));
  if (!*is_closed)
    return {};
  return change_sysctl(k, undo, sysctl::ipv4_forwarding, wanted.name, 1);
}

netns::link_change
own_attributes(const instance& owner, const wanted_bridge& wanted) {
  auto result = netns::link_change{};
  result.name = wanted.name;
  result.mtu_bytes = wanted.mtu_bytes;
  result.mac = wanted.mac;
  result.group = owner.link_group();
  result.alias = owner.alias(wanted.id);
  result.learns_link_local = false;
  result.master = 0; // A VRF would take its routes along.
  result.arp = true;
  result.stp = false;
  result.vlan_filtering = false;
  return result;
}

std::vector<interface_address> placed_addresses(const wanted_bridge& wanted) {
  auto result = wanted.addresses;
  if (wanted.link_local)
    result.push_back(*wanted.link_local);
  return result;
}

// The kernel makes one when the bridge gets its first port, and not again.
result<void> set_link_local(kernel& k, undo_stack& undo, const link_info& link,
                            const wanted_bridge& wanted) {
  if (!wanted.link_local)
    return {};
  // It takes the oldest for asking: not one of a MAC that the bridge had.
  if (link.mac != wanted.mac)
    if (auto done
        = drop_link_local(k, undo, link.index, netns::link_local_of(link.mac));
        !done)
      return done;
  return add_link_local(k, undo, link.index, *wanted.link_local);
}

// Completes a bridge of ours, new or old.
result<void>
mend(kernel& k, undo_stack& undo, const instance& owner, const link_info& link,
     const wanted_bridge& wanted, step_sequence::after_failure on_failure) {
  auto steps = step_sequence{on_failure};
  steps.then([&] {
    return change_link(k, undo, link, own_attributes(owner, wanted));
  });
  steps.then([&] {
    return set_sysctls(k, undo, wanted);
  });
  steps.then([&] {
    return open_forwarding(k, undo, wanted);
  });
  for (auto family : {ip_family::v4, ip_family::v6})
    steps.then([&] {
      auto addresses = addresses_of(family, wanted.addresses);
      return add_missing_addresses(k, undo, link.index, addresses);
    });
  steps.then([&] {
    return set_link_local(k, undo, link, wanted);
  });
  steps.then([&] {
    auto raised = netns::link_change{};
    raised.up = true;
    return change_link(k, undo, link, raised);
  });
  // Of addresses that are there: a route alone would lead nowhere.
  const auto present = k.addresses(link.index);
  if (!present)
    return fail(error{present.error()});
  auto placed = placed_addresses(wanted);
  if (on_failure == step_sequence::after_failure::go_on)
    std::erase_if(placed, [&](const auto& x) {
      return x != wanted.link_local && !std::ranges::count(*present, x);
    });
  for (auto family : {ip_family::v4, ip_family::v6})
    steps.then([&] {
      auto addresses = addresses_of(family, placed);
      return restore_routes(k, undo, link.index, addresses);
    });
  return steps.end();
}

// A request whose answer got lost may have made the bridge. Without an alias
// it is from a moment ago: the name was free before.
void remove_half_made(kernel& k, const instance& owner,
                      const std::string& name) {
  auto link = link_by_name(k, name);
  if (link && *link && (*link)->group == owner.link_group()
      && (*link)->alias.empty())
    (void)k.del_link((*link)->index);
}

result<void> build(kernel& k, undo_stack& undo, const instance& owner,
                   const wanted_bridge& wanted) {
  auto request = netns::bridge_request{};
  request.name = wanted.name;
  request.mac = wanted.mac;
  request.mtu_bytes = wanted.mtu_bytes;
  request.group = owner.link_group();
  request.learns_link_local = false;
  auto index = k.add_bridge(request);
  if (!index) {
    remove_half_made(k, owner, wanted.name);
    return fail(std::move(index.error()));
  }
  undo.push([&k, index = *index] {
    (void)k.del_link(index);
  });
  auto link = k.link(*index);
  if (!link)
    return fail(std::move(link.error()));
  return mend(k, undo, owner, *link, wanted,
              step_sequence::after_failure::stop);
}

// Ours, although it carries nothing that says so: nobody else takes this MAC
// address, and the mark follows at once.
bool is_half_rebuilt(const link_info& link, const wanted_bridge& wanted) {
  return wanted.is_users && link.kind == bridge_kind && link.alias.empty()
         && link.mac == wanted.mac;
}

result<void>
finish_rebuilding(kernel& k, undo_stack& undo, const instance& owner, int index,
                  const wanted_bridge& wanted) {
  auto mark = bridge_mark{};
  mark.network = wanted.id;
  mark.rebuilt = true;
  auto change = netns::link_change{};
  change.alias = to_alias(owner, mark);
  change.up = true;
  if (auto done = k.set_link(index, change); !done)
    return done;
  auto link = k.link(index);
  if (!link)
    return fail(std::move(link.error()));
  return use_host_bridge(k, undo, owner, *link, wanted,
                         step_sequence::after_failure::stop);
}

// The user's went and did not come back: the network needs one, and this stays
// the user's. What else was on it or in it only its owner knows.
result<void> rebuild(kernel& k, undo_stack& undo, const instance& owner,
                     const wanted_bridge& wanted) {
  auto request = netns::bridge_request{};
  request.name = wanted.name;
  request.mac = wanted.mac;
  request.mtu_bytes = wanted.mtu_bytes;
  auto index = k.add_bridge(request);
  if (!index) {
    auto link = link_by_name(k, wanted.name);
    if (link && *link && is_half_rebuilt(**link, wanted))
      (void)k.del_link((*link)->index); // The answer got lost.
    return fail(std::move(index.error()));
  }
  undo.push([&k, index = *index] {
    (void)k.del_link(index);
  });
  return finish_rebuilding(k, undo, owner, *index, wanted);
}

// What can be mended of it stays so, whatever cannot.
result<void> adopt(kernel& k, const instance& owner, const found_bridge& found,
                   const wanted_bridge& wanted) {
  auto undo = undo_stack{};
  auto keep = [&](result<void> done) {
    undo.commit();
    return done;
  };
  if (found.is_ours)
    return keep(mend(k, undo, owner, found.link, wanted,
                     step_sequence::after_failure::go_on));
  if (found.link.name != wanted.name)
    return fail(
      ec::conflict,
      fmt::format("bridge {}: was renamed to {}", wanted.name, found.link.name),
      fmt::format("give it its name back: ip link set {} name {}",
                  found.link.name, wanted.name));
  return keep(use_host_bridge(k, undo, owner, found.link, wanted,
                              step_sequence::after_failure::go_on));
}

result<void> create(kernel& k, undo_stack& undo, const instance& owner,
                    const wanted_bridge& wanted) {
  auto found = find_bridge(k, owner, wanted);
  if (!found)
    return fail(std::move(found.error()));
  if (*found)
    return adopt(k, owner, **found, wanted);
  auto other = link_by_name(k, wanted.name);
  if (!other)
    return fail(std::move(other.error()));
  if (!*other)
    return wanted.is_users ? rebuild(k, undo, owner, wanted)
                           : build(k, undo, owner, wanted);
  if (is_half_rebuilt(**other, wanted))
    return finish_rebuilding(k, undo, owner, (*other)->index, wanted);
  if (auto done = check_usable(owner, **other, wanted); !done)
    return done;
  return use_host_bridge(k, undo, owner, **other, wanted,
                         step_sequence::after_failure::stop);
}

} // namespace

result<std::optional<found_bridge>>
find_bridge(kernel& k, const instance& owner, const wanted_bridge& wanted) {
  using maybe = std::optional<found_bridge>;
  auto named = link_by_name(k, wanted.name);
  if (!named)
    return fail(std::move(named.error()));
  if (*named && (*named)->kind == bridge_kind) {
    if (belongs_to(owner, **named, wanted.id))
      return maybe{{std::move(**named), true}};
    if (is_marked_for(owner, **named, wanted.id))
      return maybe{{std::move(**named), false}};
  }
  auto links = k.links();
  if (!links)
    return fail(std::move(links.error()));
  for (auto& link : *links) {
    if (link.kind != bridge_kind)
      continue;
    if (tagged_id(owner, link.alias) == wanted.id)
      return maybe{{std::move(link), true}};
    if (is_marked_for(owner, link, wanted.id))
      return maybe{{std::move(link), false}};
  }
  return maybe{};
}

result<bool> lacks_forwarding(kernel& k, const std::string& name,
                              const wanted_bridge& wanted) {
  if (!wanted.forwards_ipv4)
    return false;
  for (const auto& [whose, value] :
       {std::pair{std::string{"all"}, 0}, {name, 1}}) {
    auto now = k.read_sysctl(sysctl::ipv4_forwarding, whose);
    if (!now)
      return fail(std::move(now.error()));
    if (*now == value)
      return false;
  }
  return true;
}

result<void> check_bridge_place(kernel& k, const instance& owner,
                                const wanted_bridge& wanted) {
  auto found = find_bridge(k, owner, wanted);
  if (!found)
    return fail(std::move(found.error()));
  if (*found)
    return {};
  auto other = link_by_name(k, wanted.name);
  if (!other)
    return fail(std::move(other.error()));
  if (!*other)
    return {};
  if (auto done = check_usable(owner, **other, wanted); !done)
    return done;
  return check_host_bridge(k, owner, **other, wanted);
}

result<void>
create_bridge(kernel& k, const instance& owner, const wanted_bridge& wanted) {
  auto undo = undo_stack{};
  auto done = create(k, undo, owner, wanted);
  if (done)
    undo.commit();
  return done;
}

result<void>
remove_bridge(kernel& k, const instance& owner, const wanted_bridge& wanted) {
  auto found = find_bridge(k, owner, wanted);
  if (!found)
    return fail(std::move(found.error()));
  if (!*found)
    return {};
  if (!(*found)->is_ours)
    return release_host_bridge(k, owner, (*found)->link);
  auto done = k.del_link((*found)->link.index);
  if (!done && is_missing(done.error()))
    return {};
  return done;
}

} // namespace troupe::drivers
