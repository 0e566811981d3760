// Sample packets of promised networks, shown to the firewalls of others.

#include "troupe/netns/audit/firewall.hpp"

#include "troupe/netns/audit/chains.hpp"
#include "troupe/netns/audit/sampler.hpp"
#include "troupe/netns/firewall/firewalld.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include <linux/netfilter.h>
#include <linux/netfilter_arp.h>

namespace troupe::netns {

namespace {

using fate = sample_drop::fate;
using permit = sample::permit;

// Of Linux 5.10, which older headers lack.
constexpr auto inet_ingress = 5;

/// A remedy with more ports than that is none.
constexpr auto most_ports = size_t{4};

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
  // Those that translate see first packets, and none that is translated.
  if (chain.translates && (x.packet.established || x.packet.translated))
    return false;
  const auto family = x.packet.source.is_v4() ? NFPROTO_IPV4 : NFPROTO_IPV6;
  const auto place = chain.priority - (chain.comes_first ? 1 : 0);
  return chain.hook == x.hook && x.earliest <= place && place <= x.latest
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
  case NFPROTO_ARP:
    return "arp";
  case NFPROTO_NETDEV:
    return "netdev";
  default:
    return "inet";
  }
}

/// All packets that one rule, or a policy, keeps from getting through.
struct told {
  sample_drop drop;
  const promised_network* network = nullptr; ///< One of them.
  std::string what;
  bool has_group = false; ///< The bridge.
  std::set<permit> permits;
  std::set<std::pair<std::string, uint16_t>> ports; ///< With the protocol.

  bool takes(permit x) const {
    return permits.contains(x);
  }
};

/// A rule that lets packets pass, for either program.
struct exception {
  std::string nft;
  std::string iptables;
};

enum class side : uint8_t { in, out, both };

side side_of(const audit_chain& chain) {
  if (chain.family == NFPROTO_ARP)
    return chain.hook == NF_ARP_IN    ? side::in
           : chain.hook == NF_ARP_OUT ? side::out
                                      : side::both;
  if (chain.hook == NF_INET_LOCAL_OUT || chain.hook == NF_INET_POST_ROUTING)
    return side::out;
  if (chain.hook == NF_INET_LOCAL_IN || chain.hook == NF_INET_PRE_ROUTING)
    return side::in;
  return side::both;
}

void add_links(const audit_chain& chain, const told& x,
               std::vector<exception>& out) {
  const auto& network = *x.network;
  // The links of endpoints have it even where the user has made the bridge.
  const auto has_group = x.has_group || chain.family == NFPROTO_BRIDGE;
  const auto group = fmt::format("{:#x}", network.group);
  auto add = [&](char way) {
    const auto is_in = way == 'i';
    if (has_group)
      out.push_back({fmt::format("{}ifgroup {}", way, group),
                     fmt::format("-m devgroup --{}-group {}",
                                 is_in ? "src" : "dst", group)});
    else
      out.push_back({fmt::format("{}ifname {}", way, network.bridge),
                     fmt::format("-{} {}", way, network.bridge)});
  };
  if (side_of(chain) != side::out)
    add('i');
  if (side_of(chain) != side::in)
    add('o');
}

std::vector<exception> exceptions_of(const audit_chain& chain, const told& x) {
  auto result = std::vector<exception>{};
  if (x.takes(permit::links))
    add_links(chain, x, result);
  if (x.takes(permit::loopback)) {
    const auto way = side_of(chain) == side::out ? 'o' : 'i';
    result.push_back(
      {fmt::format("{}ifname lo", way), fmt::format("-{} lo", way)});
  }
  for (const auto& [proto, port] : x.ports)
    result.push_back({fmt::format("{} dport {}", proto, port),
                      fmt::format("-p {} --dport {}", proto, port)});
  return result;
}

// Without the rule, or with another policy: nothing less would help.
std::string removal(const audit_chain& chain, const sample_drop& drop) {
  if (drop.handle != 0)
    return fmt::format("nft delete rule {} {} {} handle {}", family_name(chain),
                       chain.table, drop.chain, drop.handle);
  return fmt::format("nft chain {} {} {} '{{ policy accept; }}'",
                     family_name(chain), chain.table, chain.name);
}

bool is_of_iptables(const audit_chain& x) {
  static constexpr std::string_view tables[]
    = {"filter", "raw", "mangle", "security", "nat"};
  static constexpr std::string_view chains[]
    = {"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"};
  return (x.family == NFPROTO_IPV4 || x.family == NFPROTO_IPV6)
         && std::ranges::find(tables, x.table) != std::end(tables)
         && std::ranges::find(chains, x.name) != std::end(chains);
}

// Where the zone is there, the daemon has put the bridge into it itself.
std::string firewalld_remedy(const told& x) {
  auto result = std::string{};
  for (const auto& [proto, port] : x.ports)
    result += fmt::format("{}firewall-cmd --add-port={}/{}",
                          result.empty() ? "" : "; ", port, proto);
  if (result.empty() || x.takes(permit::links))
    result += fmt::format(
      "{}firewall-cmd --zone={} --change-interface={} (its zone {} must be "
      "installed: tools/firewalld/{}.xml)",
      result.empty() ? "" : "; ", firewalld_zone, x.network->bridge,
      firewalld_zone, firewalld_zone);
  return result;
}

// As docs/firewall.md has it.
std::string remedy(const audit_firewall& firewall, const audit_chain& chain,
                   const told& x) {
  if (chain.table == "firewalld")
    return firewalld_remedy(x);
  const auto exceptions = exceptions_of(chain, x);
  if (x.drop.what != fate::dropped || x.takes(permit::none)
      || x.ports.size() > most_ports || exceptions.empty())
    return removal(chain, x.drop);
  auto prefix = fmt::format("nft insert rule {} {} {} ", family_name(chain),
                            chain.table, chain.name);
  if (is_of_links(chain))
    return prefix + "accept";
  const auto is_iptables = is_of_iptables(chain);
  if (is_iptables) {
    prefix = chain.family == NFPROTO_IPV4 ? "iptables " : "ip6tables ";
    if (chain.table != "filter")
      prefix += "-t " + chain.table + " ";
    const auto has_place
      = chain.name == "FORWARD" && firewall.find(chain, "DOCKER-USER");
    prefix += "-I " + (has_place ? "DOCKER-USER" : chain.name) + " ";
  }
  auto result = std::string{};
  for (const auto& y : exceptions)
    result += (result.empty() ? "" : "; ") + prefix
              + (is_iptables ? y.iptables + " -j ACCEPT" : y.nft + " accept");
  return result;
}

std::string problem(const audit_chain& chain, const told& x) {
  const auto head = fmt::format("chain {} of table {} {} ", chain.name,
                                family_name(chain), chain.table);
  const auto tail
    = fmt::format(" ({}), e.g. of {}", x.drop.where, x.network->title);
  switch (x.drop.what) {
  case fate::untracked:
    return head + "keeps packets " + x.what
           + " from being tracked, so that their addresses are not translated"
           + tail;
  case fate::renamed:
    return head + "gives packets " + x.what
           + " an address that the host does not have, before our rules give "
             "them one: answers may not come back"
           + tail;
  case fate::taken:
    return head + "leads packets " + x.what + " elsewhere, before our rules do"
           + tail;
  default:
    return head + "drops packets " + x.what + tail;
  }
}

void add(const sample& x, told& to) {
  if (to.what.find(x.what) == std::string::npos)
    to.what += (to.what.empty() ? "" : ", ") + x.what;
  to.permits.insert(x.by);
  if (x.by == permit::port)
    to.ports.emplace(to_string(x.packet.proto), x.packet.destination_port);
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
  auto drops = std::map<std::pair<const audit_chain*, std::string>, told>{};
  for (const auto& network : networks)
    for (const auto& x : take_samples(by_name, network, uplink))
      for (const auto* chain : hooked) {
        auto drop
          = sees(*chain, x) ? ask(*firewall, *chain, x.packet) : std::nullopt;
        if (!drop)
          continue;
        auto& entry = drops[{chain, drop->where}];
        if (entry.network == nullptr) {
          entry.network = &network;
          entry.drop = *drop;
          entry.has_group
            = to_sample(by_name, network.bridge).group == network.group;
        }
        add(x, entry);
      }
  for (const auto& [key, entry] : drops)
    found.push_back({obstruction::owner::others, "firewall of others",
                     problem(*key.first, entry),
                     remedy(*firewall, *key.first, entry)});
  return found;
}

} // namespace troupe::netns
