#include "troupe/netns/audit/matches.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/xt_addrtype.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_devgroup.h>
#include <linux/netfilter/xt_iprange.h>
#include <linux/netfilter/xt_length.h>
#include <linux/netfilter/xt_mark.h>
#include <linux/netfilter/xt_multiport.h>
#include <linux/netfilter/xt_physdev.h>
#include <linux/netfilter/xt_pkttype.h>
#include <linux/netfilter/xt_state.h>
#include <linux/netfilter/xt_tcpudp.h>
#include <linux/netfilter_ipv4/ipt_ttl.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
#include <linux/rtnetlink.h>

namespace troupe::netns {

namespace {

using content = sample_packet::content;
using tracking = sample_packet::tracking;

template <class Info>
Info info_of(const audit_attributes& x) {
  return beginning_of<Info>(x.bytes(NFTA_MATCH_INFO));
}

match match_group(const xt_devgroup_info& x, const sample_packet& packet) {
  auto side = [&](const sample_link& link, uint32_t flag, uint32_t invert,
                  uint32_t group, uint32_t mask) {
    if ((x.flags & flag) == 0)
      return match::yes;
    if (link.name.empty())
      return match::unknown;
    return to_match(((link.group & mask) == group)
                    != ((x.flags & invert) != 0));
  };
  auto in = side(packet.in, XT_DEVGROUP_MATCH_SRC, XT_DEVGROUP_INVERT_SRC,
                 x.src_group, x.src_mask);
  auto out = side(packet.out, XT_DEVGROUP_MATCH_DST, XT_DEVGROUP_INVERT_DST,
                  x.dst_group, x.dst_mask);
  if (in == match::no || out == match::no)
    return match::no;
  return in == match::yes ? out : in;
}

// Those of `conntrack` that a sample answers.
struct connection_question {
  uint32_t asked = 0; ///< Bits XT_CONNTRACK_….
  uint32_t inverted = 0;
  uint32_t states = 0;
  uint32_t statuses = 0;
};

match match_connection(const connection_question& x,
                       const sample_packet& packet) {
  constexpr auto known = uint32_t{XT_CONNTRACK_STATE | XT_CONNTRACK_STATE_ALIAS
                                  | XT_CONNTRACK_DIRECTION};
  const auto asks_status
    = (x.asked & XT_CONNTRACK_STATUS) != 0 && x.statuses == IPS_DST_NAT;
  const auto more = asks_status ? uint32_t{XT_CONNTRACK_STATUS} : uint32_t{0};
  if ((x.asked & ~known & ~more) != 0)
    return match::unknown;
  auto is = packet.tracked == tracking::untracked
              ? uint32_t{XT_CONNTRACK_STATE_UNTRACKED}
              : state_of(packet);
  if (packet.translated)
    is |= XT_CONNTRACK_STATE_DNAT;
  auto holds = [&](uint32_t flag, bool is_so) {
    return (x.asked & flag) == 0 || is_so != ((x.inverted & flag) != 0);
  };
  if (!holds(XT_CONNTRACK_STATE, (x.states & is) != 0))
    return match::no;
  if (packet.tracked != tracking::tracked)
    return to_match((x.asked & XT_CONNTRACK_STATE) != 0);
  return to_match(holds(XT_CONNTRACK_DIRECTION, !packet.established)
                  && holds(XT_CONNTRACK_STATUS, packet.translated));
}

match match_connection(const audit_attributes& x, const sample_packet& packet) {
  if (ntohl(x.number<uint32_t>(NFTA_MATCH_REV)) < 2) {
    auto info = info_of<xt_conntrack_mtinfo1>(x);
    return match_connection(
      {info.match_flags, info.invert_flags, info.state_mask, info.status_mask},
      packet);
  }
  auto info = info_of<xt_conntrack_mtinfo3>(x);
  return match_connection(
    {info.match_flags, info.invert_flags, info.state_mask, info.status_mask},
    packet);
}

match match_ports(const xt_multiport_v1& x, const sample_packet& packet) {
  auto holds = [&](uint16_t port) {
    for (size_t i = 0; i < std::min<size_t>(x.count, XT_MULTI_PORTS); ++i) {
      const auto first = x.ports[i];
      const auto is_range = x.pflags[i] != 0 && i + 1 < XT_MULTI_PORTS;
      const auto last = is_range ? x.ports[++i] : first;
      if (first <= port && port <= last)
        return true;
    }
    return false;
  };
  const auto is_found
    = (x.flags != XT_MULTIPORT_DESTINATION && holds(packet.source_port))
      || (x.flags != XT_MULTIPORT_SOURCE && holds(packet.destination_port));
  return to_match(is_found != (x.invert != 0));
}

match match_addresses(const xt_iprange_mtinfo& x, const sample_packet& packet) {
  auto holds = [](const ip_address& y, const nf_inet_addr& first,
                  const nf_inet_addr& last) {
    const auto size = y.is_v4() ? size_t{4} : size_t{16};
    return std::memcmp(y.bytes().data(), &first, size) >= 0
           && std::memcmp(y.bytes().data(), &last, size) <= 0;
  };
  auto side = [&](int flag, int invert, bool is_so) {
    return (x.flags & flag) == 0 || is_so != ((x.flags & invert) != 0);
  };
  return to_match(side(IPRANGE_SRC, IPRANGE_SRC_INV,
                       holds(packet.source, x.src_min, x.src_max))
                  && side(IPRANGE_DST, IPRANGE_DST_INV,
                          holds(packet.destination, x.dst_min, x.dst_max)));
}

match match_types(const xt_addrtype_info_v1& x, const sample_packet& packet) {
  constexpr auto of_links
    = uint32_t{XT_ADDRTYPE_LIMIT_IFACE_IN | XT_ADDRTYPE_LIMIT_IFACE_OUT};
  if ((x.flags & of_links) != 0)
    return match::unknown;
  auto side = [&](uint16_t types, bool of_source, uint32_t invert) {
    const auto is = (types >> address_type(packet, of_source)) & 1;
    return types == 0 || (is != 0) != ((x.flags & invert) != 0);
  };
  return to_match(side(x.source, true, XT_ADDRTYPE_INVERT_SOURCE)
                  && side(x.dest, false, XT_ADDRTYPE_INVERT_DEST));
}

match match_port_ranges(const __u16 (&sources)[2],
                        const __u16 (&destinations)[2], uint8_t inverted,
                        const sample_packet& packet) {
  auto holds = [](const __u16(&range)[2], uint16_t port) {
    return range[0] <= port && port <= range[1];
  };
  return to_match(
    (holds(sources, packet.source_port) != ((inverted & XT_TCP_INV_SRCPT) != 0))
    && (holds(destinations, packet.destination_port)
        != ((inverted & XT_TCP_INV_DSTPT) != 0)));
}

match match_tcp(const xt_tcp& x, const sample_packet& packet) {
  const auto ports = match_port_ranges(x.spts, x.dpts, x.invflags, packet);
  if (ports == match::no)
    return ports;
  const auto flags = static_cast<uint8_t>(transport_header(packet)[13]);
  const auto has_flags = (flags & x.flg_mask) == x.flg_cmp;
  if (has_flags == ((x.invflags & XT_TCP_INV_FLAGS) != 0))
    return match::no;
  return x.option == 0 ? match::yes : match::unknown;
}

match match_hops(const ipt_ttl_info& x) {
  constexpr auto hops = 64;
  switch (x.mode) {
  case IPT_TTL_EQ:
    return to_match(hops == x.ttl);
  case IPT_TTL_NE:
    return to_match(hops != x.ttl);
  case IPT_TTL_LT:
    return to_match(hops < x.ttl);
  case IPT_TTL_GT:
    return to_match(hops > x.ttl);
  default:
    return match::unknown;
  }
}

match match_message(const ip6t_icmp& x, const sample_packet& packet) {
  if (packet.what != content::neighbour)
    return match::no;
  const auto type = static_cast<uint8_t>(transport_header(packet)[0]);
  const auto holds = x.type == 0xff || (x.type == type && x.code[0] == 0);
  return to_match(holds != ((x.invflags & IP6T_ICMP_INV) != 0));
}

match match_device(const xt_physdev_info& x, const sample_packet& packet) {
  // The rest depends on whether br_netfilter has seen it.
  if ((x.bitmask & ~XT_PHYSDEV_OP_BRIDGED) != 0)
    return match::unknown;
  return to_match(packet.is_bridged
                  != ((x.invert & XT_PHYSDEV_OP_BRIDGED) != 0));
}

// About ports, which only connections have.
match ask_ports(std::string_view name, const audit_attributes& x,
                const sample_packet& packet) {
  if (packet.what != content::connection)
    return match::no;
  if (name == "tcp")
    return match_tcp(info_of<xt_tcp>(x), packet);
  if (name == "udp") {
    auto info = info_of<xt_udp>(x);
    return match_port_ranges(info.spts, info.dpts, info.invflags, packet);
  }
  return ntohl(x.number<uint32_t>(NFTA_MATCH_REV)) == 1
           ? match_ports(info_of<xt_multiport_v1>(x), packet)
           : match::unknown;
}

} // namespace

uint32_t state_of(const sample_packet& x) {
  switch (x.tracked) {
  case tracking::not_yet:
    return 1; // Invalid.
  case tracking::untracked:
    return 64;
  default:
    return x.established ? 2 : 8; // Established, new.
  }
}

uint32_t status_of(const sample_packet& x) {
  return x.translated ? static_cast<uint32_t>(IPS_DST_NAT) : 0U;
}

// The host's own have none yet, which is the same as PACKET_HOST.
uint8_t packet_type(const sample_packet& x) {
  if (x.what == content::connection || x.established || x.from_host)
    return PACKET_HOST;
  return x.what == content::arp ? PACKET_BROADCAST : PACKET_MULTICAST;
}

uint8_t address_type(const sample_packet& x, bool of_source) {
  const auto asks_many = x.what == content::neighbour && !x.established;
  if (asks_many && !of_source)
    return RTN_MULTICAST;
  return (of_source ? x.from_host : x.to_host) ? RTN_LOCAL : RTN_UNICAST;
}

match ask_extension(const audit_attributes& x, const sample_packet& packet,
                    bool& asks_size) {
  const auto name = x.text(NFTA_MATCH_NAME);
  const auto revision = ntohl(x.number<uint32_t>(NFTA_MATCH_REV));
  if (name == "comment")
    return match::yes;
  if (name == "devgroup")
    return match_group(info_of<xt_devgroup_info>(x), packet);
  if (name == "conntrack")
    return revision >= 1 ? match_connection(x, packet) : match::unknown;
  if (name == "state")
    return match_connection(
      {XT_CONNTRACK_STATE, 0, info_of<xt_state_info>(x).statemask, 0}, packet);
  if (name == "mark" && revision == 1) {
    auto info = info_of<xt_mark_mtinfo1>(x);
    return to_match((info.mark == 0) != (info.invert != 0));
  }
  if (name == "tcp" || name == "udp" || name == "multiport")
    return ask_ports(name, x, packet);
  if (name == "iprange" && revision == 1)
    return match_addresses(info_of<xt_iprange_mtinfo>(x), packet);
  if (name == "addrtype" && revision == 1)
    return match_types(info_of<xt_addrtype_info_v1>(x), packet);
  if (name == "pkttype") {
    auto info = info_of<xt_pkttype_info>(x);
    return to_match((info.pkttype == packet_type(packet))
                    != (info.invert != 0));
  }
  if (name == "physdev")
    return match_device(info_of<xt_physdev_info>(x), packet);
  if (name == "icmp6")
    return match_message(info_of<ip6t_icmp>(x), packet);
  if ((name == "ttl" || name == "hl") && packet.what == content::connection)
    return match_hops(info_of<ipt_ttl_info>(x)); // Both are the same.
  if (name == "length" && packet.what == content::connection) {
    auto info = info_of<xt_length_info>(x);
    asks_size = true;
    return to_match((info.min <= packet.size && packet.size <= info.max)
                    != (info.invert != 0));
  }
  return match::unknown;
}

} // namespace troupe::netns
