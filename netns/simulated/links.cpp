#include "troupe/netns/names.hpp"
#include "troupe/netns/simulated/model.hpp"

#include <algorithm>
#include <cerrno>
#include <tuple>

namespace troupe::netns::simulation {

namespace {

constexpr uint32_t ethernet_mtu_bytes = 1500;
constexpr size_t longest_alias_bytes = 255;

/// BR_MAX_PORTS is 1024, and number 0 is reserved.
constexpr int most_bridge_ports = 1023;

int count_ports(const space& ns, int bridge) {
  return static_cast<int>(
    std::ranges::count_if(ns.links, [bridge](const auto& x) {
      return x.second.info.master == bridge;
    }));
}

bool is_same(const link_info& x, const link_info& y) {
  auto facts = [](const link_info& z) {
    return std::tie(z.name, z.mac, z.mtu_bytes, z.up, z.master, z.group,
                    z.alias, z.learns_link_local, z.arp, z.stp,
                    z.vlan_filtering, z.port_blocked);
  };
  return facts(x) == facts(y);
}

result<void>
check_new_link(space& ns, const std::string& operation, const std::string& name,
               uint32_t mtu_bytes, const mac_address& mac) {
  auto subject = about(operation, name);
  if (!is_interface_name(name))
    return fail(os_failure(EINVAL, subject, "bad interface name"));
  if (ns.find(name) != nullptr)
    return fail(os_failure(EEXIST, subject));
  if (mtu_bytes != 0 && !is_mtu(mtu_bytes))
    return fail(os_failure(EINVAL, subject, "MTU out of range"));
  if (mac.is_multicast())
    return fail(os_failure(EADDRNOTAVAIL, subject, "not a unicast MAC"));
  return {};
}

} // namespace

bool is_mtu(uint32_t mtu_bytes) {
  return mtu_bytes >= 68 && mtu_bytes <= 65535;
}

link_state* space::find(int index) {
  auto it = links.find(index);
  return it == links.end() ? nullptr : &it->second;
}

link_state* space::find(const std::string& name) {
  for (auto& [index, link] : links)
    if (link.info.name == name)
      return &link;
  return nullptr;
}

mac_address model::next_mac() {
  auto n = next_mac_++;
  return {{0x02, 0x53, static_cast<uint8_t>(n >> 24U),
           static_cast<uint8_t>(n >> 16U), static_cast<uint8_t>(n >> 8U),
           static_cast<uint8_t>(n)}};
}

result<link_state*>
model::link(space& ns, int index, std::string_view operation) {
  if (auto* found = ns.find(index); found != nullptr)
    return found;
  return fail(os_failure(ENODEV, about(operation, std::to_string(index))));
}

int model::add_device(space& ns, link_state link) {
  link.info.index = ns.next_index++;
  link.conf = ns.defaults;
  if (link.info.mac.is_zero() && !link.loopback)
    link.info.mac = next_mac();
  auto index = link.info.index;
  auto& stored = ns.links[index] = std::move(link);
  emit(ns, kernel_event::kind::link_changed, &stored);
  return index;
}

result<int> model::add_bridge(space& ns, const bridge_request& request) {
  if (auto good = check_new_link(ns, "add bridge", request.name,
                                 request.mtu_bytes, request.mac);
      !good)
    return fail(std::move(good.error()));
  auto link = link_state{};
  link.info.name = request.name;
  link.info.kind = "bridge";
  link.info.mac = request.mac;
  link.own_mac = !request.mac.is_zero();
  // Setting the MTU a bridge has already does not count as setting it.
  link.own_mtu
    = request.mtu_bytes != 0 && request.mtu_bytes != ethernet_mtu_bytes;
  link.info.group = request.group;
  link.info.mtu_bytes
    = request.mtu_bytes != 0 ? request.mtu_bytes : ethernet_mtu_bytes;
  link.info.learns_link_local = request.learns_link_local;
  return add_device(ns, std::move(link));
}

result<int> model::add_veth(space& ns, const veth_request& request) {
  auto subject = about("add veth", request.name);
  auto there = open(request.peer_namespace);
  if (!there)
    return fail(with_context(std::move(there.error()), subject));
  if (auto good = check_new_link(ns, "add veth", request.name,
                                 request.mtu_bytes, request.mac);
      !good)
    return fail(std::move(good.error()));
  if (auto good = check_new_link(**there, "add veth peer", request.peer_name, 0,
                                 request.peer_mac);
      !good)
    return fail(std::move(good.error()));
  if (*there == &ns && request.name == request.peer_name)
    return fail(os_failure(EEXIST, subject));
  auto peer = link_state{};
  peer.info.name = request.peer_name;
  peer.info.kind = "veth";
  peer.info.mac = request.peer_mac;
  peer.info.mtu_bytes
    = request.mtu_bytes != 0 ? request.mtu_bytes : ethernet_mtu_bytes;
  auto end = peer;
  end.info.name = request.name;
  end.info.mac = request.mac;
  end.info.group = request.group;
  end.info.alias = request.alias;
  auto peer_index = add_device(**there, std::move(peer));
  auto index = add_device(ns, std::move(end));
  auto& here = ns.links.at(index);
  here.peer_ns = (*there)->inode;
  here.peer = peer_index;
  auto& other = (*there)->links.at(peer_index);
  other.peer_ns = ns.inode;
  other.peer = index;
  // The host end makes itself no link-local address, see `netlink_kernel`.
  if (here.has_ipv6())
    here.value(sysctl::ipv6_addr_gen_mode) = 1;
  if (request.master != 0) {
    if (auto done = enslave(ns, here, request.master); !done) {
      erase_link(ns, index);
      return fail(with_context(std::move(done.error()), subject));
    }
  }
  if (request.up)
    bring_up(here);
  settle_ipv6(ns, here);
  return index;
}

result<void> model::enslave(space& ns, link_state& link, int master) {
  if (link.info.master == master)
    return {};
  auto subject = "set master of " + link.info.name;
  // The kernel leaves the old master first and does not come back if the new
  // one fails.
  if (link.info.master != 0)
    release_port(ns, link);
  if (master == 0)
    return {};
  const auto* bridge = ns.find(master);
  if (bridge == nullptr)
    return fail(os_failure(ENODEV, subject, "no such master"));
  if (bridge->info.kind != "bridge")
    return fail(os_failure(EOPNOTSUPP, subject, "the master is no bridge"));
  if (link.loopback)
    return fail(os_failure(EINVAL, subject));
  if (link.info.kind == "bridge")
    return fail(
      os_failure(ELOOP, subject, "Can not enslave a bridge to a bridge"));
  if (count_ports(ns, master) >= most_bridge_ports)
    return fail(os_failure(EXFULL, subject));
  link.info.master = master;
  link.info.port = port_flags{};
  follow_ports(ns, master);
  return {};
}

void model::release_port(space& ns, link_state& link) {
  auto bridge = std::exchange(link.info.master, 0);
  link.info.port.reset();
  link.bound.clear();
  link.info.port_blocked = false;
  emit(ns, kernel_event::kind::link_changed, &link);
  follow_ports(ns, bridge);
}

// A bridge nobody gave a MAC takes the lowest of its ports, and one nobody
// gave an MTU (after its creation) the least of theirs.
void model::follow_ports(space& ns, int bridge) {
  auto* master = ns.find(bridge);
  if (master == nullptr)
    return;
  auto before = master->info;
  auto mac = std::optional<mac_address>{};
  auto mtu = std::optional<uint32_t>{};
  for (const auto& [index, link] : ns.links) {
    if (link.info.master != bridge)
      continue;
    mac = std::min(mac.value_or(link.info.mac), link.info.mac);
    mtu = std::min(mtu.value_or(link.info.mtu_bytes), link.info.mtu_bytes);
  }
  if (!master->own_mac)
    master->info.mac = mac.value_or(mac_address{});
  if (!master->own_mtu)
    master->info.mtu_bytes = mtu.value_or(ethernet_mtu_bytes);
  if (!master->has_ipv6())
    drop_ipv6(ns, *master);
  if (!is_same(before, master->info))
    emit(ns, kernel_event::kind::link_changed, master);
}

result<void>
model::set_mac(space& ns, link_state& link, const mac_address& mac) {
  auto subject = "set MAC of " + link.info.name;
  if (link.loopback)
    return fail(os_failure(EOPNOTSUPP, subject));
  if (mac.is_multicast() || mac.is_zero())
    return fail(os_failure(EADDRNOTAVAIL, subject, "not a unicast MAC"));
  link.info.mac = mac;
  link.own_mac = true;
  follow_ports(ns, link.info.master);
  return {};
}

result<void> model::set_mtu(space& ns, link_state& link, uint32_t mtu_bytes) {
  if (!link.loopback && !is_mtu(mtu_bytes))
    return fail(os_failure(EINVAL, "set MTU of " + link.info.name,
                           mtu_bytes < 68 ? "mtu less than device minimum"
                                          : "mtu greater than device maximum"));
  if (link.info.mtu_bytes == mtu_bytes)
    return {};
  link.info.mtu_bytes = mtu_bytes;
  link.own_mtu = true;
  if (!link.has_ipv6())
    drop_ipv6(ns, link);
  follow_ports(ns, link.info.master);
  return {};
}

result<void>
model::rename(space& ns, link_state& link, const std::string& name) {
  if (link.info.up && !renames_running_links)
    return fail(os_failure(EBUSY, "rename " + link.info.name));
  if (auto* other = ns.find(name); other != nullptr && other != &link)
    return fail(os_failure(EEXIST, "rename " + link.info.name));
  link.info.name = name;
  return {};
}

result<void> model::set_details(link_state& link, const link_change& change) {
  auto subject = "set link " + link.info.name;
  if ((change.stp || change.vlan_filtering) && link.info.kind != "bridge")
    return fail(os_failure(EOPNOTSUPP, subject, "no bridge"));
  if (change.port_blocked && !link.info.port)
    return fail(os_failure(EINVAL, subject, "no bridge port"));
  link.info.stp = change.stp.value_or(link.info.stp);
  link.info.vlan_filtering
    = change.vlan_filtering.value_or(link.info.vlan_filtering);
  link.info.port_blocked = change.port_blocked.value_or(link.info.port_blocked);
  return {};
}

// The kernel works through the attributes in this order and keeps what was
// done when one of them fails, so we do as well.
result<void> model::set_link(space& ns, int index, const link_change& change) {
  auto subject = about("set link", std::to_string(index));
  if (change.name && !is_interface_name(*change.name) && index > 0)
    return fail(os_failure(EINVAL, subject, "bad interface name"));
  if (change.alias && change.alias->size() > longest_alias_bytes && index > 0)
    return fail(os_failure(EINVAL, subject, "the alias is too long"));
  if (change.port_blocked.value_or(false) && index > 0)
    return fail(os_failure(EINVAL, subject, "a port cannot be blocked"));
  auto found = link(ns, index, "set link");
  if (!found)
    return fail(std::move(found.error()));
  auto& target = **found;
  auto before = target.info;
  auto done = result<void>{};
  if (change.learns_link_local && target.info.kind != "bridge")
    done = fail(os_failure(EOPNOTSUPP, subject, "the link is no bridge"));
  else if (change.learns_link_local)
    target.info.learns_link_local = *change.learns_link_local;
  if (done && change.mac)
    done = set_mac(ns, target, *change.mac);
  if (done && change.mtu_bytes)
    done = set_mtu(ns, target, *change.mtu_bytes);
  if (done && change.group)
    target.info.group = *change.group;
  if (done && change.name)
    done = rename(ns, target, *change.name);
  if (done && change.alias)
    target.info.alias = *change.alias;
  if (done && change.master)
    done = enslave(ns, target, *change.master);
  if (change.arp)
    target.info.arp = *change.arp;
  if (done)
    done = set_details(target, change);
  if (done && change.up && *change.up != target.info.up) {
    if (*change.up)
      bring_up(target);
    else
      bring_down(ns, target);
  }
  if (!is_same(before, target.info))
    emit(ns, kernel_event::kind::link_changed, &target);
  settle_ipv6(ns, target);
  return done;
}

result<void> model::bind_mac(space& ns, int index, const mac_address& mac) {
  auto found = link(ns, index, "bind " + to_string(mac) + " to bridge port");
  if (!found)
    return fail(std::move(found.error()));
  auto& target = **found;
  if (!target.info.port)
    return fail(os_failure(
      EOPNOTSUPP, about("bind " + to_string(mac) + " to", target.info.name)));
  for (auto& [other, x] : ns.links)
    if (x.info.master == target.info.master)
      x.bound.erase(mac);
  target.bound.insert(mac);
  return {};
}

result<void>
model::set_port_flags(space& ns, int index, const port_flags& flags) {
  auto found = link(ns, index, "set port flags");
  if (!found)
    return fail(std::move(found.error()));
  if (!(*found)->info.port)
    return fail(os_failure(EOPNOTSUPP,
                           "set port flags of " + (*found)->info.name,
                           "no bridge port"));
  (*found)->info.port = flags;
  emit(ns, kernel_event::kind::link_changed, *found);
  return {};
}

result<void> model::del_link(space& ns, int index) {
  auto found = link(ns, index, "delete link");
  if (!found)
    return fail(std::move(found.error()));
  if ((*found)->info.kind.empty())
    return fail(os_failure(EOPNOTSUPP, "delete link " + (*found)->info.name));
  erase_link(ns, index);
  return {};
}

result<void> model::del_group(space& ns, uint32_t group) {
  auto subject = "delete links of group " + std::to_string(group);
  if (group == 0)
    return fail(os_failure(EPERM, subject));
  auto doomed = std::vector<int>{};
  for (const auto& [index, link] : ns.links) {
    if (link.info.group != group)
      continue;
    if (link.info.kind.empty())
      return fail(os_failure(EOPNOTSUPP, subject));
    doomed.push_back(index);
  }
  if (doomed.empty())
    return fail(os_failure(ENODEV, subject));
  for (auto index : doomed)
    erase_link(ns, index);
  return {};
}

void model::move_link(space& from, int index, space& to) {
  auto node = from.links.extract(index);
  auto& moved = node.mapped();
  bring_down(from, moved);
  if (moved.info.master != 0)
    release_port(from, moved);
  emit(from, kernel_event::kind::link_removed, &moved);
  moved.info.alias.clear();
  moved.info.group = 0;
  moved.addresses.clear();
  auto peer = std::pair{moved.peer_ns, moved.peer};
  auto now = add_device(to, std::move(moved));
  auto other = spaces.find(peer.first);
  if (peer.second == 0 || other == spaces.end())
    return;
  auto& end = other->second.links.at(peer.second);
  end.peer_ns = to.inode;
  end.peer = now;
}

void model::erase_link(space& ns, int index) {
  auto node = ns.links.extract(index);
  if (node.empty())
    return; // A peer of one deleted before.
  auto& gone = node.mapped();
  bring_down(ns, gone);
  for (auto& [other, link] : ns.links)
    if (link.info.master == index)
      release_port(ns, link);
  follow_ports(ns, gone.info.master);
  emit(ns, kernel_event::kind::link_removed, &gone);
  if (gone.peer == 0)
    return;
  if (auto it = spaces.find(gone.peer_ns); it != spaces.end())
    erase_link(it->second, gone.peer);
}

} // namespace troupe::netns::simulation
