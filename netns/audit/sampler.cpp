#include "troupe/netns/audit/sampler.hpp"

#include <algorithm>
#include <fstream>
#include <set>
#include <tuple>
#include <utility>

#include <linux/netfilter_arp.h>
#include <linux/netfilter_bridge.h>

namespace troupe::netns {

namespace {

using content = sample_packet::content;
using permit = sample::permit;
using member = promised_network::member;
using published_port = promised_network::published_port;

/// Of one network; so that the doctor comes to an end in a large one.
constexpr auto most_samples = size_t{4'096};

/// Where our rules, and the kernel for answers, give other addresses.
constexpr auto translation_priority = -100;
constexpr auto source_priority = 100;

/// Does br_netfilter show bridged packets to the rules of routers?
/// @param chains `iptables` or `ip6tables`.
bool others_see_bridged(const std::string& chains) {
  auto file = std::ifstream{"/proc/sys/net/bridge/bridge-nf-call-" + chains};
  auto value = 0;
  return file >> value && value != 0;
}

sample_flow flow_of(const sample_packet& x) {
  return {x.source, x.destination, x.source_port, x.destination_port};
}

sample_flow reversed(const sample_flow& x) {
  return {x.destination, x.source, x.destination_port, x.source_port};
}

// The answer to it.
sample_packet answer_to(const sample_packet& x) {
  auto result = x;
  std::swap(result.in, result.out);
  std::swap(result.source, result.destination);
  std::swap(result.source_port, result.destination_port);
  std::swap(result.from_host, result.to_host);
  result.established = true;
  return result;
}

// Where neighbours are asked for an address.
ip_address solicited_node(const ip_address& x) {
  auto bytes = std::array<uint8_t, 16>{0xff, 2, 0, 0, 0,    0, 0, 0,
                                       0,    0, 0, 1, 0xff, 0, 0, 0};
  std::copy_n(x.bytes().data() + 13, 3, bytes.begin() + 13);
  return ip_address::from_bytes(ip_family::v6, bytes.data());
}

class sampler {
public:
  sampler(const link_map& links, const promised_network& network,
          const std::string& uplink)
    : links_{links}, network_{network}, bridge_{to_sample(links,
                                                          network.bridge)},
      uplink_{to_sample(links, uplink)}, loopback_{to_sample(links, "lo")} {
    auto homes = std::vector<ip_address>{};
    for (const auto& [name, link] : links)
      for (const auto& x : link->addresses)
        homes.push_back(x.address);
    homes_ = std::make_shared<const std::vector<ip_address>>(std::move(homes));
  }

  std::vector<sample> take() {
    // Rules may be about one address or one port.
    for (auto publishes : {true, false})
      for (const auto& x : network_.members)
        if (x.published.empty() != publishes && samples_.size() < most_samples)
          take(x);
    // Where nobody is yet, somebody may come.
    if (network_.members.empty())
      for (const auto& x : network_.subnets)
        if (x.size() == 0 || x.size() > 2)
          take({}, x.at(2));
    return std::move(samples_);
  }

private:
  void take(const member& x) {
    for (const auto& address : x.addresses)
      take(x, address);
    for (const auto& port : x.published)
      if (port.host_port != 0 && samples_.size() < most_samples)
        take_host_port(port);
  }

  void take(const member& member, const ip_address& address) {
    auto gateway = std::ranges::find_if(network_.gateways, [&](const auto& x) {
      return x.address.family() == address.family();
    });
    if (gateway != network_.gateways.end()) {
      auto there = packet({}, bridge_, gateway->address, address);
      there.reply = reversed(*there.original);
      add_both(NF_INET_LOCAL_OUT, NF_INET_LOCAL_IN, there,
               "from the host to containers");
      take_resolution(member, address, gateway->address);
      take_frames(member, address, gateway->address);
    }
    if (!(address.is_v4() ? network_.leaves_ipv4 : network_.leaves_ipv6))
      return;
    const auto world = outsider(address.family());
    take_way_out(packet(bridge_, uplink_, address, world));
    // One at the host's addresses of both families is there twice.
    auto seen = std::set<std::pair<protocol, uint16_t>>{};
    for (const auto& x : member.published)
      if (x.translated && x.host_ip.family() == address.family()
          && seen.emplace(x.proto, x.port).second)
        take_published(x, world, address);
  }

  // Rules of ours lead it to the container.
  void take_published(const published_port& port, const ip_address& world,
                      const ip_address& address) {
    const auto what = std::string{"to published ports"};
    auto there = packet(uplink_, bridge_, world, address);
    there.proto = port.proto;
    there.destination_port = port.port;
    there.translated = true;
    there.needs_tracking = true;
    there.reply = reversed(flow_of(there));
    there.original.reset();
    const auto host = port.host_ip.is_unspecified()
                        ? host_address(uplink_.name, address.family())
                        : std::optional{port.host_ip};
    if (port.host_port != 0 && host)
      there.original
        = sample_flow{world, *host, there.source_port, port.host_port};
    add_both(NF_INET_FORWARD, NF_INET_FORWARD, there, what);
    add_answer(NF_INET_PRE_ROUTING, there, what);
  }

  void take_way_out(sample_packet there) {
    const auto what = std::string{"from containers to the outside"};
    there.needs_tracking = true;
    add_both(NF_INET_FORWARD, NF_INET_FORWARD, there, what);
    if (there.source.is_v4() ? network_.masquerades_ipv4
                             : network_.masquerades_ipv6) {
      // Before rules of ours give it an address of the host.
      auto leaving = there;
      leaving.homes = homes_;
      add(NF_INET_POST_ROUTING, leaving, what).latest = source_priority - 1;
    }
    // Answers come to the host, which knows whose they are.
    auto host = host_address(uplink_.name, there.source.family());
    if (!host)
      return;
    auto back = answer_to(there);
    back.destination = *host;
    back.to_host = true;
    back.original.reset();
    add(NF_INET_PRE_ROUTING, back, "in answer to those " + what, permit::none)
      .latest
      = translation_priority - 1;
  }

  // As the port is asked for: at an address of the host.
  void take_host_port(const published_port& port) {
    const auto family = port.host_ip.family();
    const auto is_any = port.host_ip.is_unspecified();
    const auto what = std::string{"to published ports"};
    auto link = is_any ? uplink_ : owner_of(port.host_ip);
    auto host
      = is_any ? host_address(link.name, family) : std::optional{port.host_ip};
    if (!link.name.empty() && link.name != "lo" && host) {
      auto there = packet(link, {}, outsider(family), *host, port);
      if (port.translated)
        take_translated(there);
      else if (port.proxied)
        take_proxied(there, link);
    }
    if (!port.proxied || loopback_.name.empty()
        || !(is_any || port.host_ip.is_loopback()))
      return;
    const auto self
      = is_any
          ? *ip_address::parse(family == ip_family::v4 ? "127.0.0.1" : "::1")
          : port.host_ip;
    auto there = packet(loopback_, {}, self, self, port);
    there.from_host = true;
    there.reply = reversed(*there.original);
    for (const auto& x : {there, answer_to(there)}) {
      auto in = x;
      in.in = loopback_;
      in.out = {};
      auto out = x;
      out.in = {};
      out.out = loopback_;
      for (auto hook : {NF_INET_PRE_ROUTING, NF_INET_LOCAL_IN})
        add(hook, in, what + " at a loopback address", permit::loopback);
      for (auto hook : {NF_INET_LOCAL_OUT, NF_INET_POST_ROUTING})
        add(hook, out, what + " at a loopback address", permit::loopback);
    }
  }

  // Before rules of ours lead it to the container.
  void take_translated(sample_packet there) {
    there.awaits_translation = true;
    there.needs_tracking = true;
    add(NF_INET_PRE_ROUTING, there, "to published ports", permit::port).latest
      = translation_priority - 1;
    // The host asks itself by lo.
    auto own = there;
    own.source = there.destination;
    own.from_host = true;
    own.in = {};
    own.out = loopback_;
    own.needs_tracking = false; // Then the proxy serves it.
    own.original = flow_of(own);
    add(NF_INET_LOCAL_OUT, own, "to published ports", permit::port).latest
      = translation_priority - 1;
  }

  // What rules of ours cannot lead there.
  void take_proxied(sample_packet there, const sample_link& link) {
    const auto what = std::string{"to published ports that the proxy serves"};
    there.reply = reversed(*there.original);
    for (auto hook : {NF_INET_PRE_ROUTING, NF_INET_LOCAL_IN})
      add(hook, there, what, permit::port);
    auto back = answer_to(there);
    back.in = {};
    back.out = link;
    for (auto hook : {NF_INET_LOCAL_OUT, NF_INET_POST_ROUTING})
      add(hook, back, "in answer to those " + what, permit::none);
  }

  // Who wants to talk asks for the other's hardware address first.
  void take_resolution(const member& member, const ip_address& address,
                       const ip_address& gateway) {
    auto in = resolution(bridge_, {}, address, gateway);
    auto out = resolution({}, bridge_, gateway, address);
    take_question(member, in, answer_to(in));
    take_question(member, answer_to(out), out);
  }

  static sample_packet
  resolution(const sample_link& in, const sample_link& out,
             const ip_address& source, const ip_address& destination) {
    auto result = sample_packet{in, out, source, destination};
    result.what = source.is_v4() ? content::arp : content::neighbour;
    result.from_host = in.name.empty();
    result.to_host = !result.from_host;
    return result;
  }

  // One of both is the answer to the other; questions go to many.
  void
  take_question(const member& member, sample_packet in, sample_packet out) {
    const auto is_v4 = in.source.is_v4();
    auto what = std::string{"with which containers and host find each other ("};
    what += is_v4 ? "ARP)" : "neighbour discovery)";
    auto& question = in.established ? out : in;
    if (!is_v4)
      question.destination = solicited_node(question.destination);
    if (is_v4) {
      samples_.push_back({in, NF_ARP_IN, what, NFPROTO_ARP});
      samples_.push_back({out, NF_ARP_OUT, what, NFPROTO_ARP});
    } else {
      add(NF_INET_PRE_ROUTING, in, what);
      add(NF_INET_LOCAL_IN, in, what);
      add(NF_INET_LOCAL_OUT, out, what);
      add(NF_INET_POST_ROUTING, out, what);
    }
    in.in = to_sample(links_, member.port);
    out.out = in.in;
    if (in.in.index != 0)
      add_frames(in, out, what, what);
  }

  sample_packet
  packet(const sample_link& in, const sample_link& out,
         const ip_address& source, const ip_address& destination) const {
    auto result = sample_packet{in, out, source, destination};
    result.from_host = is_of_host(source);
    result.to_host = is_of_host(destination);
    result.original = flow_of(result);
    return result;
  }

  static sample_packet
  packet(const sample_link& in, const sample_link& out,
         const ip_address& source, const ip_address& destination,
         const published_port& port) {
    auto result = sample_packet{in, out, source, destination};
    result.to_host = true;
    result.proto = port.proto;
    result.destination_port = port.host_port;
    result.original = flow_of(result);
    return result;
  }

  bool is_of_host(const ip_address& x) const {
    return std::ranges::any_of(network_.gateways, [&](const auto& y) {
      return y.address == x;
    });
  }

  // The link that has it.
  sample_link owner_of(const ip_address& x) const {
    for (const auto& [name, link] : links_)
      for (const auto& y : link->addresses)
        if (y.address == x)
          return to_sample(links_, name);
    return {};
  }

  std::optional<ip_address>
  host_address(const std::string& name, ip_family family) const {
    auto link = links_.find(name);
    if (link != links_.end())
      for (const auto& x : link->second->addresses)
        if (x.address.family() == family)
          return x.address;
    return std::nullopt;
  }

  sample& add(int hook, const sample_packet& x, const std::string& what,
              permit by = permit::links) {
    samples_.push_back({x, hook, what, NFPROTO_INET, by});
    return samples_.back();
  }

  void
  add_answer(int hook, const sample_packet& there, const std::string& what) {
    add(hook, answer_to(there), "in answer to those " + what);
  }

  // A packet and the answer to it.
  void add_both(int hook, int hook_back, const sample_packet& there,
                const std::string& what) {
    add(hook, there, what);
    add_answer(hook_back, there, what);
    // Every packet meets these, too.
    if (!there.in.name.empty() || hook == NF_INET_FORWARD) {
      auto& early = add(NF_INET_PRE_ROUTING, there, what,
                        there.translated ? permit::none : permit::links);
      if (there.translated)
        early.earliest = translation_priority;
    }
    add(NF_INET_POST_ROUTING, there, what);
  }

  // The same as frames, on the link of the endpoint and on the bridge.
  void take_frames(const member& member, const ip_address& address,
                   const ip_address& gateway) {
    const auto port = to_sample(links_, member.port);
    if (port.index == 0)
      return;
    auto out = packet(port, {}, address, gateway);
    auto in = packet({}, port, gateway, address);
    in.established = true;
    in.original.reset();
    add_frames(out, in, "from containers", "to containers");
    if (network_.is_one)
      take_neighbour(member, port, address);
  }

  void add_frames(sample_packet out, sample_packet in, const std::string& from,
                  const std::string& to) {
    out.is_frame = true;
    in.is_frame = true;
    for (auto hook : {NF_BR_PRE_ROUTING, NF_BR_LOCAL_IN})
      samples_.push_back({out, hook, from, NFPROTO_BRIDGE});
    for (auto hook : {NF_BR_LOCAL_OUT, NF_BR_POST_ROUTING})
      samples_.push_back({in, hook, to, NFPROTO_BRIDGE});
    for (const auto& link : {out.in, bridge_}) {
      out.in = link;
      samples_.push_back({out, NF_NETDEV_INGRESS, from, NFPROTO_NETDEV});
      in.out = link;
      samples_.push_back({in, netdev_egress, to, NFPROTO_NETDEV});
    }
  }

  // To one other; where br_netfilter is on, rules for routers see that as well.
  void take_neighbour(const member& member, const sample_link& port,
                      const ip_address& address) {
    for (const auto& other : network_.members) {
      const auto its = to_sample(links_, other.port);
      if (&other == &member || its.index == 0)
        continue;
      for (const auto& x : other.addresses)
        if (x.family() == address.family()) {
          const auto what = std::string{"from container to container"};
          auto there = packet(port, its, address, x);
          there.is_frame = true;
          there.is_bridged = true;
          samples_.push_back({there, NF_BR_FORWARD, what, NFPROTO_BRIDGE});
          there.is_frame = false;
          there.in = bridge_;
          there.out = bridge_;
          if (others_see_bridged(x.is_v4() ? "iptables" : "ip6tables"))
            add(NF_INET_FORWARD, there, what);
          if (x.is_v4())
            take_neighbours_question(port, its, address, x);
          return;
        }
    }
  }

  void
  take_neighbours_question(const sample_link& port, const sample_link& its,
                           const ip_address& address, const ip_address& other) {
    const auto what
      = std::string{"with which containers find each other (ARP)"};
    auto there = sample_packet{port, its, address, other};
    there.what = content::arp;
    there.is_frame = true;
    samples_.push_back({there, NF_BR_FORWARD, what, NFPROTO_BRIDGE});
  }

  const link_map& links_;
  const promised_network& network_;
  sample_link bridge_;
  sample_link uplink_;
  sample_link loopback_;
  std::shared_ptr<const std::vector<ip_address>> homes_; ///< The host's.
  std::vector<sample> samples_;
};

} // namespace

sample_link to_sample(const link_map& links, const std::string& name) {
  auto found = links.find(name);
  if (found == links.end())
    return {};
  const auto& link = *found->second;
  return {name, link.index, link.group, link.kind, link.type};
}

std::vector<sample>
take_samples(const link_map& links, const promised_network& network,
             const std::string& uplink) {
  return sampler{links, network, uplink}.take();
}

} // namespace troupe::netns
