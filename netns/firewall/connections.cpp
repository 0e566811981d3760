#include "troupe/netns/firewall/connections.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
// Need the one above.
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

namespace troupe::netns {

bool matches(const conntrack_filter& filter, const connection_info& x) {
  auto is = [](const auto& wanted, const auto& value) {
    return !wanted || *wanted == value;
  };
  auto is_port = [](uint16_t wanted, uint16_t value) {
    return wanted == 0 || wanted == value;
  };
  return x.client.family() == filter.family
         && (is(filter.address, x.client) || is(filter.address, x.server))
         && is(filter.host_address, x.host)
         && is_port(filter.host_port, x.host_port)
         && is(filter.server, x.server)
         && is_port(filter.server_port, x.server_port)
         && (!filter.proto || filter.proto == x.proto)
         && !(filter.untranslated
              && (x.source_translated || x.destination_translated()))
         && !(filter.unanswered && x.answered);
}

namespace firewall {

namespace {

constexpr auto version = uint8_t{1}; // The family counts.

// Which parts of a tuple count; the kernel has them in no public header.
constexpr uint32_t by_source = 1U << 0U;
constexpr uint32_t by_destination = 1U << 1U;
constexpr uint32_t by_protocol = 1U << 3U;
constexpr uint32_t by_source_port = 1U << 4U;
constexpr uint32_t by_destination_port = 1U << 5U;

// Attributes of CTA_FILTER, likewise.
constexpr auto original_flags = 1;
constexpr auto reply_flags = 2;

// Of Linux 5.19, which older headers lack.
constexpr auto status_mask = 26;

constexpr auto protocol_numbers
  = std::array<uint8_t, 3>{IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP};

// One end of a connection in one of its two tuples, and what counts of it.
struct end {
  std::optional<ip_address> address;
  uint16_t port = 0;
};

// A tuple under construction. The kernel wants the address before the port.
class tuple_writer {
public:
  tuple_writer(netlink_message& out, std::optional<protocol> proto)
    : out_{out}, proto_{proto} {
  }

  // @returns which parts count.
  uint32_t put(int attribute, const end& source, const end& destination) {
    auto flags = uint32_t{0};
    out_.nest(attribute, [&] {
      if (source.address || destination.address)
        put_addresses(source.address, destination.address, flags);
      if (proto_)
        put_ports(source.port, destination.port, flags);
    });
    return flags;
  }

private:
  void
  put_addresses(const std::optional<ip_address>& source,
                const std::optional<ip_address>& destination, uint32_t& flags) {
    out_.nest(CTA_TUPLE_IP, [&] {
      if (source) {
        out_.put_address(source->is_v4() ? CTA_IP_V4_SRC : CTA_IP_V6_SRC,
                         *source);
        flags |= by_source;
      }
      if (destination) {
        out_.put_address(destination->is_v4() ? CTA_IP_V4_DST : CTA_IP_V6_DST,
                         *destination);
        flags |= by_destination;
      }
    });
  }

  void put_ports(uint16_t source, uint16_t destination, uint32_t& flags) {
    flags |= by_protocol;
    out_.nest(CTA_TUPLE_PROTO, [&] {
      out_.put_u8(CTA_PROTO_NUM,
                  protocol_numbers[static_cast<size_t>(*proto_)]);
      put_port(CTA_PROTO_SRC_PORT, source, by_source_port, flags);
      put_port(CTA_PROTO_DST_PORT, destination, by_destination_port, flags);
    });
  }

  void put_port(int attribute, uint16_t port, uint32_t flag, uint32_t& flags) {
    if (port == 0)
      return;
    auto number = htons(port);
    out_.put(attribute,
             {reinterpret_cast<const uint8_t*>(&number), sizeof number});
    flags |= flag;
  }

  netlink_message& out_;
  std::optional<protocol> proto_;
};

netlink_message begin(int type, uint8_t family, uint8_t number) {
  auto subsystem = static_cast<unsigned>(NFNL_SUBSYS_CTNETLINK) << 8U;
  return {static_cast<int>(subsystem) | type, 0, nfgenmsg{family, number, 0}};
}

void put_status(netlink_message& out, const conntrack_filter& x) {
  auto mask = uint32_t{0};
  if (x.untranslated)
    mask |= IPS_SRC_NAT | IPS_DST_NAT;
  if (x.unanswered)
    mask |= IPS_SEEN_REPLY;
  if (mask == 0)
    return;
  out.put_u32(CTA_STATUS, 0);
  out.put_u32(status_mask, htonl(mask));
}

netlink_message
encode_one(const conntrack_filter& x, const end& client, const end& server) {
  auto family
    = static_cast<uint8_t>(x.family == ip_family::v4 ? AF_INET : AF_INET6);
  auto out = begin(IPCTNL_MSG_CT_DELETE, family, version);
  auto tuple = tuple_writer{out, x.proto};
  auto original
    = tuple.put(CTA_TUPLE_ORIG, client, {x.host_address, x.host_port});
  auto reply = uint32_t{0};
  if (server.address || server.port != 0)
    reply = tuple.put(CTA_TUPLE_REPLY, server, {});
  put_status(out, x);
  out.nest(CTA_FILTER, [&] {
    out.put_u32(original_flags, original);
    out.put_u32(reply_flags, reply);
  });
  return out;
}

// What an answer says of one tuple.
struct tuple_ends {
  end source, destination;
  uint8_t proto = 0;
};

tuple_ends read_tuple(const nlattr* nest, int family) {
  auto parts = netlink_attributes<CTA_TUPLE_MAX>::within(nest);
  auto ip = netlink_attributes<CTA_IP_MAX>::within(parts.find(CTA_TUPLE_IP));
  auto proto
    = netlink_attributes<CTA_PROTO_MAX>::within(parts.find(CTA_TUPLE_PROTO));
  auto v4 = family == AF_INET;
  auto result = tuple_ends{};
  result.source.address
    = ip.address(v4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, family);
  result.destination.address
    = ip.address(v4 ? CTA_IP_V4_DST : CTA_IP_V6_DST, family);
  result.source.port = ntohs(proto.value<uint16_t>(CTA_PROTO_SRC_PORT));
  result.destination.port = ntohs(proto.value<uint16_t>(CTA_PROTO_DST_PORT));
  result.proto = proto.value<uint8_t>(CTA_PROTO_NUM);
  return result;
}

std::optional<protocol> protocol_of(uint8_t number) {
  const auto* found = std::ranges::find(protocol_numbers, number);
  if (found == protocol_numbers.end())
    return std::nullopt;
  return static_cast<protocol>(found - protocol_numbers.begin());
}

bool in_a_zone(const netlink_attributes<CTA_MAX>& xs) {
  auto has_own = [&](int tuple) {
    return netlink_attributes<CTA_TUPLE_MAX>::within(xs.find(tuple))
      .has(CTA_TUPLE_ZONE);
  };
  return xs.has(CTA_ZONE) || has_own(CTA_TUPLE_ORIG)
         || has_own(CTA_TUPLE_REPLY);
}

} // namespace

result<void> check_filter(const conntrack_filter& x) {
  auto bad = [](std::string_view why) {
    return fail(ec::invalid_argument, "flush connections: " + std::string{why});
  };
  if (!x.address && !x.host_address && x.host_port == 0 && !x.server)
    return bad("neither an address nor a port is given");
  if ((x.host_port != 0 || x.server_port != 0) && !x.proto)
    return bad("a port without a protocol");
  for (const auto& address : {x.address, x.host_address, x.server})
    if (address && address->family() != x.family)
      return bad("an address of another family");
  return {};
}

bool must_be_listed(const conntrack_filter& filter) {
  return filter.family == ip_family::v6
         && (filter.address || filter.host_address || filter.server);
}

std::vector<netlink_message> encode(const conntrack_filter& x) {
  auto result = std::vector<netlink_message>{};
  auto server = end{x.server, x.server_port};
  if (!x.address) {
    result.push_back(encode_one(x, {}, server));
    return result;
  }
  // The container began the connection, or answers it.
  result.push_back(encode_one(x, {x.address, 0}, server));
  if (!x.server || x.server == x.address)
    result.push_back(encode_one(x, {}, {x.address, x.server_port}));
  return result;
}

netlink_message ask_connections() {
  return begin(IPCTNL_MSG_CT_GET, AF_UNSPEC, 0);
}

std::optional<tracked_connection> read_connection(const nlmsghdr& message) {
  auto body = body_of<nfgenmsg>(message);
  auto xs = netlink_attributes<CTA_MAX>::of(message, body);
  const auto* original = xs.find(CTA_TUPLE_ORIG);
  auto is_ip = body.nfgen_family == AF_INET || body.nfgen_family == AF_INET6;
  if (original == nullptr || !is_ip || in_a_zone(xs))
    return std::nullopt;
  auto sent = read_tuple(original, body.nfgen_family);
  auto answer = read_tuple(xs.find(CTA_TUPLE_REPLY), body.nfgen_family);
  auto status = ntohl(xs.value<uint32_t>(CTA_STATUS));
  auto result = tracked_connection{};
  auto& info = result.info;
  info.proto = protocol_of(sent.proto);
  info.client = *sent.source.address;
  info.client_port = sent.source.port;
  info.host = *sent.destination.address;
  info.host_port = sent.destination.port;
  info.server = *answer.source.address;
  info.server_port = answer.source.port;
  info.source_translated = answer.destination.address != sent.source.address
                           || answer.destination.port != sent.source.port;
  info.answered = (status & IPS_SEEN_REPLY) != 0;
  const auto* data = static_cast<const uint8_t*>(nla_data(original));
  result.tuple.assign(data, data + nla_len(original));
  result.id = xs.value<uint32_t>(CTA_ID);
  return result;
}

netlink_message forget(const tracked_connection& x) {
  auto family
    = static_cast<uint8_t>(x.info.client.is_v4() ? AF_INET : AF_INET6);
  auto out = begin(IPCTNL_MSG_CT_DELETE, family, version);
  out.put(CTA_TUPLE_ORIG | NLA_F_NESTED, x.tuple);
  out.put_u32(CTA_ID, x.id);
  return out;
}

} // namespace firewall

} // namespace troupe::netns
