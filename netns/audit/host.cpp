#include "troupe/netns/audit/host.hpp"

#include "troupe/netns/audit/fdb.hpp"
#include "troupe/netns/audit/firewall.hpp"
#include "troupe/netns/audit/policies.hpp"
#include "troupe/netns/audit/routes.hpp"
#include "troupe/netns/audit/sample.hpp"
#include "troupe/netns/audit/socket.hpp"
#include "troupe/netns/audit/ways.hpp"
#include "troupe/netns/rebuilt_word.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>

#include <linux/netconf.h>
#include <linux/rtnetlink.h>

namespace troupe::netns {

namespace {

using owner = obstruction::owner;

std::string
setting_name(int family, const std::string& what, const std::string& link) {
  return std::string{"net."} + (family == AF_INET ? "ipv4" : "ipv6") + ".conf."
         + link + "." + what;
}

// -- forwarding ---------------------------------------------------------------

struct forwarding_view {
  bool host = true;     ///< Of the family as a whole.
  std::set<int> closed; ///< Links whose packets are not forwarded.
};

result<forwarding_view> read_forwarding(audit_socket& socket, uint8_t family) {
  auto body = netconfmsg{};
  body.ncm_family = family;
  auto found = socket.dump(RTM_GETNETCONF, body);
  if (!found)
    return fail(std::move(found.error()));
  auto result = forwarding_view{};
  for (auto& message : *found) {
    auto attributes = message.attributes(sizeof body);
    auto index = attributes.number<int>(NETCONFA_IFINDEX);
    if (attributes.bytes(NETCONFA_FORWARDING).empty()
        || attributes.number<int>(NETCONFA_FORWARDING) != 0)
      continue;
    if (index == NETCONFA_IFINDEX_ALL)
      result.host = false;
    else if (index > 0)
      result.closed.insert(index);
  }
  return result;
}

/// Looks at one machine for some networks.
class host_examination {
public:
  host_examination(audit_socket& socket, const std::vector<audit_link>& links,
                   std::span<const promised_network> networks)
    : socket_{socket}, links_{links}, networks_{networks} {
    for (const auto& x : links)
      by_name_[x.name] = &x;
    for (const auto& x : networks)
      bridges_[x.bridge] = &x;
  }

  result<std::vector<obstruction>> run() {
    auto routes = read_routes(socket_);
    if (!routes)
      return fail(std::move(routes.error()));
    if (auto done = check_forwarding(AF_INET, *routes); !done)
      return fail(std::move(done.error()));
    if (auto done = check_forwarding(AF_INET6, *routes); !done)
      return fail(std::move(done.error()));
    for (const auto& x : networks_) {
      check_own_routes(x, *routes);
      check_rebuilt(x);
    }
    check_neighbourhood();
    check_host_addresses(*routes);
    auto ways = find_closed_ways(socket_, links_, networks_, *routes,
                                 {lacks_routes_, tells_forwarding_});
    if (!ways)
      return fail(std::move(ways.error()));
    std::ranges::move(*ways, std::back_inserter(found_));
    return std::move(found_);
  }

private:
  result<void>
  check_forwarding(uint8_t family, const std::vector<audit_route>& routes);
  void check_link_forwarding(const audit_link& link,
                             const std::vector<audit_route>& routes);
  void check_own_routes(const promised_network& network,
                        const std::vector<audit_route>& routes);
  void check_rebuilt(const promised_network& network);
  void check_neighbourhood();
  void check_host_addresses(const std::vector<audit_route>& routes);

  void report(owner whose, std::string object, std::string problem,
              std::string command) {
    found_.push_back(
      {whose, std::move(object), std::move(problem), std::move(command)});
  }

  const audit_link* find_link(const std::string& name) const {
    auto found = by_name_.find(name);
    return found == by_name_.end() ? nullptr : found->second;
  }

  audit_socket& socket_;
  const std::vector<audit_link>& links_;
  std::span<const promised_network> networks_;
  std::map<std::string, const audit_link*> by_name_;
  std::map<std::string, const promised_network*> bridges_;
  std::vector<obstruction> found_;
  std::set<std::string> lacks_routes_; ///< Bridges.
  std::set<ip_family> tells_forwarding_;
};

// IPv6 has one switch for all links; what it calls forwarding of a link makes
// that a router's.
result<void>
host_examination::check_forwarding(uint8_t family,
                                   const std::vector<audit_route>& routes) {
  auto needs = [&](const promised_network& x) {
    return family == AF_INET ? x.leaves_ipv4 : x.leaves_ipv6;
  };
  if (std::ranges::none_of(networks_, needs))
    return {};
  auto seen = read_forwarding(socket_, family);
  if (!seen)
    return fail(std::move(seen.error()));
  if (!seen->host) {
    auto name = family == AF_INET ? std::string{"net.ipv4.ip_forward"}
                                  : setting_name(family, "forwarding", "all");
    report(owner::setting, "host",
           name + " is off: nothing gets into networks or out of them",
           "sysctl -w " + name + "=1");
    tells_forwarding_.insert(family == AF_INET ? ip_family::v4 : ip_family::v6);
    return {};
  }
  if (family == AF_INET)
    for (const auto& x : links_)
      if (seen->closed.contains(x.index)) {
        auto before = found_.size();
        check_link_forwarding(x, routes);
        if (found_.size() != before)
          tells_forwarding_.insert(ip_family::v4);
      }
  return {};
}

void host_examination::check_link_forwarding(
  const audit_link& link, const std::vector<audit_route>& routes) {
  auto name = setting_name(AF_INET, "forwarding", link.name);
  auto command = "sysctl -w " + name + "=1";
  if (auto x = bridges_.find(link.name); x != bridges_.end()) {
    if (x->second->leaves_ipv4)
      report(x->second->group == link.group ? owner::ours : owner::others,
             x->second->title, name + " is off: its packets do not leave it",
             command);
    return;
  }
  auto has_ipv4 = std::ranges::any_of(link.addresses, [](const auto& x) {
    return x.address.is_v4();
  });
  if (!link.up || !link.bridge.empty() || link.name == "lo" || !has_ipv4)
    return;
  auto is_uplink = std::ranges::any_of(routes, [&](const audit_route& x) {
    return x.index == link.index && x.destination.length() == 0
           && x.destination.family() == ip_family::v4;
  });
  report(is_uplink ? owner::setting : owner::others, "host",
         name + " is off: what comes in by " + link.name
           + " does not get to any network",
         command);
}

// -- routes -------------------------------------------------------------------

void host_examination::check_own_routes(
  const promised_network& network, const std::vector<audit_route>& routes) {
  const auto* link = find_link(network.bridge);
  if (link == nullptr || !link->up)
    return; // Told by those who look at links.
  for (const auto& x : network.gateways) {
    if (std::ranges::find(link->addresses, x) == link->addresses.end())
      continue;
    auto has = [&](route_kind kind, const prefix& destination) {
      return std::ranges::any_of(routes, [&](const audit_route& y) {
        return y.kind == kind && y.index == link->index
               && y.destination == destination;
      });
    };
    // What is missing is told by those who compare.
    auto is_whole = has(route_kind::self, {x.address, x.address.bits()})
                    && (x.length == x.address.bits()
                        || has(route_kind::subnet, x.subnet()));
    if (!is_whole)
      lacks_routes_.insert(network.bridge);
  }
}

// Without the ports and addresses that its owner gave it.
void host_examination::check_rebuilt(const promised_network& network) {
  const auto* link = find_link(network.bridge);
  const auto word = "+" + std::string{rebuilt_word};
  const auto at = link == nullptr ? std::string::npos : link->alias.find(word);
  if (at == std::string::npos)
    return;
  auto alias = link->alias;
  alias.erase(at, word.size());
  if (alias.find('+') == std::string::npos)
    alias += '+';
  report(owner::others, network.title,
         "bridge " + network.bridge
           + " is yours, was deleted and is made anew: ports and addresses "
             "that others gave it are missing (once they are back, the command "
             "ends this warning)",
         "ip link set " + network.bridge + " alias '" + alias + "'");
}

// A host that has the subnet of a network on another link can reach only one
// of the two.
void host_examination::check_neighbourhood() {
  for (const auto& link : links_) {
    if (!link.up || link.name == "lo" || bridges_.contains(link.name))
      continue;
    for (const auto& x : link.addresses)
      for (const auto& network : networks_)
        for (const auto& subnet : network.subnets)
          if (x.length < x.address.bits() && x.subnet().overlaps(subnet))
            report(owner::others, network.title,
                   "its subnet " + to_string(subnet) + " is also that of "
                     + link.name + ", which has " + to_string(x)
                     + ": one of the two needs another",
                   "ip address del " + to_string(x) + " dev " + link.name);
  }
}

// Who holds a port keeps it when its address goes; nothing arrives any more.
void host_examination::check_host_addresses(
  const std::vector<audit_route>& routes) {
  auto way_out = [&](ip_family family) {
    for (const auto& x : routes)
      if (x.destination.length() == 0 && x.destination.family() == family)
        for (const auto& link : links_)
          if (link.index == x.index)
            return link.name;
    return std::string{"lo"};
  };
  auto known = std::map<ip_address, bool>{};
  auto is_here = [&](const ip_address& address) {
    auto [at, is_new] = known.try_emplace(address, address.is_unspecified());
    if (is_new && !at->second)
      at->second = std::ranges::any_of(routes, [&](const audit_route& x) {
        return x.kind == route_kind::self && x.destination.contains(address);
      });
    return at->second;
  };
  auto serves_host = false;
  for (const auto& network : networks_)
    for (const auto& member : network.members)
      for (const auto& x : member.published)
        if (x.host_port != 0 && x.host_ip.is_unspecified())
          serves_host = true;
        else if (x.host_port != 0 && !is_here(x.host_ip))
          report(owner::others, member.title,
                 "published at " + host_text(x.host_ip, x.host_port) + "/"
                   + to_string(x.proto) + ": the host does not have that "
                   + "address any more",
                 "ip address add " + to_string(x.host_ip) + " dev "
                   + way_out(x.host_ip.family()));
  if (const auto* lo = find_link("lo"); serves_host && lo != nullptr && !lo->up)
    report(owner::others, "host",
           "lo is down: the host does not reach its own published ports",
           "ip link set lo up");
}

} // namespace

result<std::vector<obstruction>>
find_obstructions(const std::vector<audit_link>& links,
                  std::span<const promised_network> networks) {
  if (networks.empty())
    return std::vector<obstruction>{};
  auto socket = audit_socket::open(NETLINK_ROUTE);
  if (!socket)
    return fail(std::move(socket.error()));
  auto found = host_examination{*socket, links, networks}.run();
  if (!found)
    return found;
  auto uplink = std::string{};
  if (auto way = ask_way(*socket, {outsider(ip_family::v4)}); way)
    for (const auto& x : links)
      if (way->index == x.index)
        uplink = x.name;
  for (auto more :
       {find_firewalls(links, networks, uplink), find_policies(networks),
        find_queues(links, networks), find_stray_entries(links, networks)}) {
    if (!more)
      return more;
    std::ranges::move(*more, std::back_inserter(*found));
  }
  std::ranges::sort(*found);
  found->erase(std::unique(found->begin(), found->end()), found->end());
  return found;
}

} // namespace troupe::netns
