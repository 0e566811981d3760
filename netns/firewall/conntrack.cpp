#include "troupe/netns/firewall/conntrack.hpp"

#include <array>

#include <arpa/inet.h>
#include <netinet/in.h>
// Need the ones above.
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

namespace troupe::netns::firewall {

namespace {

constexpr auto subsystem = static_cast<unsigned>(NFNL_SUBSYS_CTNETLINK) << 8U;

using attributes = netlink_attributes<CTA_MAX>;

/// One direction of a connection.
struct tuple {
  ip_address source;
  ip_address destination;
  uint8_t proto = 0;
  uint16_t destination_port = 0;
};

tuple read_tuple(const nlattr* nest, int family) {
  auto parts = netlink_attributes<CTA_TUPLE_MAX>::within(nest);
  auto addresses
    = netlink_attributes<CTA_IP_MAX>::within(parts.find(CTA_TUPLE_IP));
  auto ports
    = netlink_attributes<CTA_PROTO_MAX>::within(parts.find(CTA_TUPLE_PROTO));
  auto is_v6 = family == AF_INET6;
  return {
    addresses.address(is_v6 ? CTA_IP_V6_SRC : CTA_IP_V4_SRC, family),
    addresses.address(is_v6 ? CTA_IP_V6_DST : CTA_IP_V4_DST, family),
    ports.value<uint8_t>(CTA_PROTO_NUM),
    ntohs(ports.value<uint16_t>(CTA_PROTO_DST_PORT)),
  };
}

uint8_t number_of(protocol proto) {
  constexpr auto numbers
    = std::array<uint8_t, 3>{IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP};
  return numbers[static_cast<size_t>(proto)];
}

bool matches(const conntrack_filter& filter, const tuple& original,
             const tuple& reply) {
  return (!filter.address || original.source == *filter.address
          || reply.source == *filter.address)
         && (!filter.host_address
             || original.destination == *filter.host_address)
         && (!filter.proto || original.proto == number_of(*filter.proto))
         && (filter.host_port == 0
             || original.destination_port == filter.host_port);
}

// As it was listed.
void copy(netlink_message& out, const attributes& from, int type) {
  const auto* found = from.find(type);
  if (found == nullptr)
    return;
  const auto* data = static_cast<const uint8_t*>(nla_data(found));
  out.put(found->nla_type, {data, static_cast<size_t>(nla_len(found))});
}

} // namespace

bool must_be_listed(const conntrack_filter& filter) {
  return filter.family == ip_family::v6
         && (filter.address || filter.host_address);
}

netlink_message ask_connections(ip_family family) {
  auto number = family == ip_family::v4 ? AF_INET : AF_INET6;
  return {static_cast<int>(subsystem | IPCTNL_MSG_CT_GET), 0,
          nfgenmsg{static_cast<uint8_t>(number), NFNETLINK_V0, 0}};
}

std::optional<netlink_message>
delete_listed(const nlmsghdr& listed, const conntrack_filter& filter) {
  auto body = body_of<nfgenmsg>(listed);
  auto family = filter.family == ip_family::v4 ? AF_INET : AF_INET6;
  if (body.nfgen_family != family)
    return std::nullopt;
  auto all = attributes::of(listed, body);
  if (!matches(filter, read_tuple(all.find(CTA_TUPLE_ORIG), family),
               read_tuple(all.find(CTA_TUPLE_REPLY), family)))
    return std::nullopt;
  auto result
    = netlink_message{static_cast<int>(subsystem | IPCTNL_MSG_CT_DELETE), 0,
                      nfgenmsg{body.nfgen_family, NFNETLINK_V0, 0}};
  // The number too: another connection may have the tuple by then.
  for (auto type : {CTA_TUPLE_ORIG, CTA_ZONE, CTA_ID})
    copy(result, all, type);
  return result;
}

} // namespace troupe::netns::firewall
