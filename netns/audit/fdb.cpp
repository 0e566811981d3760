#include "troupe/netns/audit/fdb.hpp"

#include "troupe/netns/audit/socket.hpp"

#include <algorithm>
#include <cerrno>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

namespace troupe::netns {

namespace {

/// One of a bridge.
struct entry {
  int bridge = 0;
  int link = 0; ///< Where it leads; the bridge's own: the host.
  mac_address mac;
  bool is_local = false; ///< Leads to the host, whatever the link.
  bool stays = false;    ///< Learning does not remove it.
};

// Empty: it is none of a bridge that does not tell VLANs apart.
std::optional<entry> read_entry(const audit_message& message) {
  auto head = message.head<ndmsg>();
  auto attributes = message.attributes(sizeof head);
  auto result = entry{};
  result.bridge = attributes.number<int>(NDA_MASTER);
  auto mac = attributes.bytes(NDA_LLADDR);
  if (result.bridge == 0 || attributes.number<uint16_t>(NDA_VLAN) != 0
      || mac.size() != result.mac.bytes.size())
    return std::nullopt;
  std::ranges::copy(mac, result.mac.bytes.begin());
  result.link = head.ndm_ifindex;
  result.is_local = (head.ndm_state & NUD_PERMANENT) != 0;
  result.stays = result.is_local || (head.ndm_state & NUD_NOARP) != 0
                 || (head.ndm_flags & NTF_STICKY) != 0;
  return result;
}

/// Whose frames an entry is for.
struct receiver {
  std::string title;
  const audit_link* bridge = nullptr;
  const audit_link* port = nullptr; ///< Null: the bridge itself.
};

using receivers = std::map<std::pair<int, mac_address>, receiver>;

receivers find_receivers(const std::vector<audit_link>& links,
                         std::span<const promised_network> networks) {
  auto by_name = std::map<std::string, const audit_link*>{};
  for (const auto& x : links)
    by_name[x.name] = &x;
  auto find = [&](const std::string& name) -> const audit_link* {
    auto found = by_name.find(name);
    return found == by_name.end() ? nullptr : found->second;
  };
  auto result = receivers{};
  for (const auto& network : networks) {
    const auto* bridge = find(network.bridge);
    if (bridge == nullptr)
      continue;
    if (!network.gateways.empty())
      result[{bridge->index, bridge->mac}] = {network.title, bridge, nullptr};
    for (const auto& x : network.members)
      if (const auto* port = find(x.port); port != nullptr && x.mac)
        result[{bridge->index, *x.mac}] = {x.title, bridge, port};
  }
  return result;
}

bool leads_astray(const entry& x, const receiver& to) {
  if (!x.stays)
    return false;
  if (to.port == nullptr)
    return !x.is_local;
  return x.is_local || x.link != to.port->index;
}

obstruction describe(const entry& x, const receiver& to,
                     const std::vector<audit_link>& links) {
  const auto link = std::ranges::find(links, x.link, &audit_link::index);
  const auto where = link == links.end() ? std::string{"?"} : link->name;
  const auto mac = to_string(x.mac);
  auto command = "bridge fdb del " + mac + " dev " + where
                 + (x.link == x.bridge ? " self" : " master");
  if (to.port == nullptr) // Its own entry is lost.
    command
      += "; bridge fdb add " + mac + " dev " + to.bridge->name + " self local";
  return {obstruction::owner::others, to.title,
          "a forwarding entry of bridge " + to.bridge->name
            + " leads frames for " + mac + " to "
            + (x.is_local ? "the host" : where)
            + (to.port == nullptr ? ", not to the bridge itself"
                                  : ", not to " + to.port->name),
          std::move(command)};
}

// A flush of the table takes it away, and nothing but another MAC address makes
// the kernel add it again.
obstruction describe_lost(const mac_address& mac, const receiver& to) {
  return {obstruction::owner::others, to.title,
          "bridge " + to.bridge->name + " has no forwarding entry for its own "
            + "address " + to_string(mac) + ": nothing reaches the host",
          "bridge fdb add " + to_string(mac) + " dev " + to.bridge->name
            + " self local"};
}

} // namespace

result<std::vector<obstruction>>
find_stray_entries(const std::vector<audit_link>& links,
                   std::span<const promised_network> networks) {
  auto found = std::vector<obstruction>{};
  const auto wanted = find_receivers(links, networks);
  if (wanted.empty())
    return found;
  auto socket = audit_socket::open(NETLINK_ROUTE);
  if (!socket)
    return fail(std::move(socket.error()));
  auto head = ndmsg{};
  head.ndm_family = AF_BRIDGE;
  auto entries = socket->dump(RTM_GETNEIGH, head);
  if (!entries && entries.error().os_error == EOPNOTSUPP)
    return found; // A kernel without bridges.
  if (!entries)
    return fail(std::move(entries.error()));
  auto known = std::set<std::pair<int, mac_address>>{};
  for (const auto& message : *entries)
    if (auto x = read_entry(message)) {
      auto to = wanted.find({x->bridge, x->mac});
      if (to == wanted.end())
        continue;
      known.insert(to->first);
      if (leads_astray(*x, to->second))
        found.push_back(describe(*x, to->second, links));
    }
  for (const auto& [place, to] : wanted)
    if (to.port == nullptr && to.bridge->up && !known.contains(place))
      found.push_back(describe_lost(place.second, to));
  return found;
}

} // namespace troupe::netns
