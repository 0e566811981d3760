// Sample packets of promised networks, shown to the firewalls of others.

#include "troupe/netns/audit_firewall.hpp"

#include "troupe/netns/audit_chains.hpp"
#include "troupe/netns/firewall/firewalld.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <set>
#include <utility>

#include <linux/netfilter.h>
#include <linux/netfilter_bridge.h>

namespace troupe::netns {

namespace {

constexpr auto outsider_v4 = std::string_view{"203.0.113.1"};
constexpr auto outsider_v6 = std::string_view{"2001:db8::1"};

/// Of one network; so that the doctor comes to an end in a large one.
constexpr auto most_samples = size_t{4'096};

/// A packet, where it is seen, and what it is to a person.
struct sample {
  sample_packet packet;
  int hook = 0; ///< NF_INET_…, NF_BR_… or NF_NETDEV_…
  std::string what;
  uint8_t layer = NFPROTO_INET; ///< NFPROTO_BRIDGE, NFPROTO_NETDEV: as frame.
};

using link_map = std::map<std::string, const audit_link*>;

// Of Linux 5.16 and 5.10, which older headers lack.
constexpr auto netdev_egress = 1;
constexpr auto inet_ingress = 5;

/// Does br_netfilter show bridged packets to the rules of routers?
bool routers_see_bridged(ip_family family) {
  auto file = std::ifstream{
    family == ip_family::v4 ? "/proc/sys/net/bridge/bridge-nf-call-iptables"
                            : "/proc/sys/net/bridge/bridge-nf-call-ip6tables"};
  auto value = 0;
  return file >> value && value != 0;
}

sample_link to_sample(const link_map& links, const std::string& name) {
  auto found = links.find(name);
  if (found == links.end())
    return {};
  return {name, found->second->index, found->second->group};
}

class sampler {
public:
  sampler(const link_map& links, const promised_network& network,
          const std::string& uplink)
    : links_{links}, network_{network},
      bridge_{to_sample(links, network.bridge)}, uplink_{
                                                   to_sample(links, uplink)} {
  }

  std::vector<sample> take() {
    // Rules may be about one address or one port.
    for (auto publishes : {true, false})
      for (const auto& x : network_.members)
        if (x.published.empty() != publishes && samples_.size() < most_samples)
          for (const auto& address : x.addresses)
            take(x, address);
    // Where nobody is yet, somebody may come.
    if (network_.members.empty())
      for (const auto& x : network_.subnets)
        if (x.size() == 0 || x.size() > 2)
          take({}, x.at(2));
    return std::move(samples_);
  }

private:
  void take(const promised_network::member& member, const ip_address& address) {
    auto gateway = std::ranges::find_if(network_.gateways, [&](const auto& x) {
      return x.address.family() == address.family();
    });
    if (gateway != network_.gateways.end()) {
      add_both(NF_INET_LOCAL_OUT, NF_INET_LOCAL_IN, {}, bridge_,
               gateway->address, address, "from the host to containers", 0);
      take_frames(member, address, gateway->address);
    }
    if (!(address.is_v4() ? network_.leaves_ipv4 : network_.leaves_ipv6))
      return;
    auto world
      = *ip_address::parse(address.is_v4() ? outsider_v4 : outsider_v6);
    add_both(NF_INET_FORWARD, NF_INET_FORWARD, bridge_, uplink_, address, world,
             "from containers to the outside", 0);
    // One at the host's addresses of both families is there twice.
    const auto published = std::set<std::pair<protocol, uint16_t>>(
      member.published.begin(), member.published.end());
    for (const auto& [proto, port] : published)
      add_both(NF_INET_FORWARD, NF_INET_FORWARD, uplink_, bridge_, world,
               address, "to published ports", port, proto);
  }

  // A packet and the answer to it.
  void add_both(int hook, int hook_back, const sample_link& in,
                const sample_link& out, const ip_address& source,
                const ip_address& destination, const std::string& what,
                uint16_t port, protocol proto = protocol::tcp) {
    auto there = sample_packet{in, out, source, destination};
    there.proto = proto;
    there.translated = port != 0;
    there.destination_port = port != 0 ? port : there.destination_port;
    auto back = there;
    std::swap(back.in, back.out);
    std::swap(back.source, back.destination);
    std::swap(back.source_port, back.destination_port);
    back.established = true;
    samples_.push_back({there, hook, what});
    samples_.push_back({back, hook_back, "in answer to those " + what});
    // Every packet meets these, too.
    if (!in.name.empty() || hook == NF_INET_FORWARD)
      samples_.push_back({there, NF_INET_PRE_ROUTING, what});
    samples_.push_back({there, NF_INET_POST_ROUTING, what});
  }

  // The same as frames, on the link of the endpoint and on the bridge.
  void take_frames(const promised_network::member& member,
                   const ip_address& address, const ip_address& gateway) {
    const auto port = to_sample(links_, member.port);
    if (port.index == 0)
      return;
    const auto out = sample_packet{port, {}, address, gateway};
    auto in = sample_packet{{}, port, gateway, address};
    in.established = true;
    const auto from = std::string{"from containers"};
    const auto to = std::string{"to containers"};
    for (auto hook : {NF_BR_PRE_ROUTING, NF_BR_LOCAL_IN})
      samples_.push_back({out, hook, from, NFPROTO_BRIDGE});
    for (auto hook : {NF_BR_LOCAL_OUT, NF_BR_POST_ROUTING})
      samples_.push_back({in, hook, to, NFPROTO_BRIDGE});
    for (const auto& link : {port, bridge_}) {
      auto there = out;
      there.in = link;
      samples_.push_back({there, NF_NETDEV_INGRESS, from, NFPROTO_NETDEV});
      auto back = in;
      back.out = link;
      samples_.push_back({back, netdev_egress, to, NFPROTO_NETDEV});
    }
    if (network_.is_one)
      take_neighbour(member, port, address);
  }

  // To one other; where br_netfilter is on, rules for routers see that as well.
  void take_neighbour(const promised_network::member& member,
                      const sample_link& port, const ip_address& address) {
    for (const auto& other : network_.members) {
      const auto its = to_sample(links_, other.port);
      if (&other == &member || its.index == 0)
        continue;
      for (const auto& x : other.addresses)
        if (x.family() == address.family()) {
          const auto what = std::string{"from container to container"};
          samples_.push_back(
            {{port, its, address, x}, NF_BR_FORWARD, what, NFPROTO_BRIDGE});
          if (routers_see_bridged(x.family()))
            samples_.push_back(
              {{bridge_, bridge_, address, x}, NF_INET_FORWARD, what});
          return;
        }
    }
  }

  const link_map& links_;
  const promised_network& network_;
  sample_link bridge_;
  sample_link uplink_;
  std::vector<sample> samples_;
};

/// Does it see packets of a link, whatever becomes of them?
bool is_of_links(const audit_chain& chain) {
  return chain.family == NFPROTO_NETDEV
         || (chain.family == NFPROTO_INET && chain.hook == inet_ingress);
}

bool sees(const audit_chain& chain, const sample& x) {
  if (is_of_links(chain)) {
    const auto hook
      = chain.family == NFPROTO_INET ? int{NF_NETDEV_INGRESS} : chain.hook;
    const auto& link = hook == NF_NETDEV_INGRESS ? x.packet.in : x.packet.out;
    return x.layer == NFPROTO_NETDEV && hook == x.hook
           && std::ranges::find(chain.devices, link.name)
                != chain.devices.end();
  }
  if (chain.family == NFPROTO_BRIDGE || x.layer != NFPROTO_INET)
    return chain.family == x.layer && chain.hook == x.hook;
  auto family = x.packet.source.is_v4() ? NFPROTO_IPV4 : NFPROTO_IPV6;
  return chain.hook == x.hook
         && (chain.family == NFPROTO_INET || chain.family == family);
}

std::string_view family_name(const audit_chain& x) {
  switch (x.family) {
  case NFPROTO_IPV4:
    return "ip";
  case NFPROTO_IPV6:
    return "ip6";
  case NFPROTO_BRIDGE:
    return "bridge";
  case NFPROTO_NETDEV:
    return "netdev";
  default:
    return "inet";
  }
}

// As docs/firewall.md has it.
std::string remedy(const audit_firewall& firewall, const audit_chain& chain,
                   const promised_network& network, bool has_group) {
  // Where the zone is there, the daemon has done this itself.
  if (chain.table == "firewalld")
    return fmt::format("firewall-cmd --zone={0} --change-interface={1} (its "
                       "zone {0} must be installed: tools/firewalld/{0}.xml)",
                       firewalld_zone, network.bridge);
  auto is_iptables
    = chain.table == "filter"
      && (chain.family == NFPROTO_IPV4 || chain.family == NFPROTO_IPV6)
      && chain.name == "FORWARD";
  if (is_iptables) {
    auto program = chain.family == NFPROTO_IPV4 ? "iptables" : "ip6tables";
    auto place = firewall.find(chain, "DOCKER-USER") != nullptr ? "DOCKER-USER"
                                                                : "FORWARD";
    if (has_group)
      return fmt::format("{0} -I {1} -m devgroup --src-group {2:#x} -j ACCEPT; "
                         "{0} -I {1} -m devgroup --dst-group {2:#x} -j ACCEPT",
                         program, place, network.group);
    return fmt::format("{0} -I {1} -i {2} -j ACCEPT; {0} -I {1} -o {2} -j "
                       "ACCEPT",
                       program, place, network.bridge);
  }
  auto where = fmt::format("nft insert rule {} {} {}", family_name(chain),
                           chain.table, chain.name);
  // The links of endpoints have it even where the user has made the bridge.
  has_group = has_group || chain.family == NFPROTO_BRIDGE;
  auto by = has_group ? fmt::format("{:#x}", network.group) : network.bridge;
  auto key = has_group ? "group" : "name";
  auto in = fmt::format("{} iif{} {} accept", where, key, by);
  auto out = fmt::format("{} oif{} {} accept", where, key, by);
  if (is_of_links(chain))
    return where + " accept";
  if (chain.hook == NF_INET_LOCAL_OUT || chain.hook == NF_INET_POST_ROUTING)
    return out;
  if (chain.hook == NF_INET_LOCAL_IN || chain.hook == NF_INET_PRE_ROUTING)
    return in;
  return in + "; " + out;
}

} // namespace

result<std::vector<obstruction>>
find_firewalls(const std::vector<audit_link>& links,
               std::span<const promised_network> networks,
               const std::string& uplink) {
  auto firewall = audit_firewall::read();
  if (!firewall)
    return fail(std::move(firewall.error()));
  auto found = std::vector<obstruction>{};
  auto hooked = std::vector<const audit_chain*>{};
  for (const auto& x : firewall->chains())
    // What the user writes into the chain made for it is meant that way.
    if (x.hook >= 0)
      hooked.push_back(&x);
  if (hooked.empty())
    return found;
  auto by_name = link_map{};
  for (const auto& x : links)
    by_name[x.name] = &x;
  struct told {
    std::string what;
    const promised_network* network = nullptr;
  };
  auto drops = std::map<std::pair<const audit_chain*, std::string>, told>{};
  for (const auto& network : networks)
    for (const auto& x : sampler{by_name, network, uplink}.take())
      for (const auto* chain : hooked) {
        auto drop
          = sees(*chain, x) ? ask(*firewall, *chain, x.packet) : std::nullopt;
        if (!drop)
          continue;
        auto& entry = drops[{chain, drop->where}];
        if (entry.network == nullptr)
          entry.network = &network;
        if (entry.what.find(x.what) == std::string::npos)
          entry.what += (entry.what.empty() ? "" : ", ") + x.what;
      }
  for (const auto& [key, entry] : drops) {
    const auto& [chain, where] = key;
    const auto& network = *entry.network;
    found.push_back(
      {obstruction::owner::others, "firewall of others",
       fmt::format("chain {} of table {} {} drops packets {} ({}), e.g. of {}",
                   chain->name, family_name(*chain), chain->table, entry.what,
                   where, network.title),
       remedy(*firewall, *chain, network,
              to_sample(by_name, network.bridge).group == network.group)});
  }
  return found;
}

} // namespace troupe::netns
