#include "troupe/netns/real/route.hpp"

#include "troupe/netns/link_local.hpp"

#include <array>

#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/ipv6_route.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>

namespace troupe::netns {

namespace {

constexpr auto make = NLM_F_CREATE | NLM_F_EXCL;

// Attribute and value of Linux 5.18, which older headers lack.
constexpr auto ifa_proto = 11;
constexpr auto kernel_made_link_local = uint8_t{3};

// What the kernel stores for an IPv6 route that was given no metric.
constexpr auto default_metric_v6 = uint32_t{IP6_RT_PRIO_USER};

uint8_t family_number(ip_family family) {
  return family == ip_family::v4 ? AF_INET : AF_INET6;
}

ip_family family_of(int number) {
  return number == AF_INET6 ? ip_family::v6 : ip_family::v4;
}

netlink_message
address_message(int type, int flags, int index, const interface_address& x) {
  auto body = ifaddrmsg{};
  body.ifa_family = family_number(x.address.family());
  body.ifa_prefixlen = x.length;
  body.ifa_index = static_cast<uint32_t>(index);
  auto message = netlink_message{type, flags, body};
  message.put_address(IFA_LOCAL, x.address);
  message.put_address(IFA_ADDRESS, x.address);
  // What programs like ifconfig show, and what some send broadcasts to.
  if (type == RTM_NEWADDR && x.address.is_v4() && x.length < 31)
    message.put_address(IFA_BROADCAST, x.subnet().last());
  return message;
}

// Kernels before 5.18 do not say who made an address. There, and for those
// that others made, the sign is that it was checked for duplicates: ours never
// are.
bool is_kernel_made(const netlink_attributes<ifa_proto>& attributes) {
  auto flags = attributes.value<uint32_t>(IFA_FLAGS);
  return attributes.value<uint8_t>(ifa_proto) == kernel_made_link_local
         || (flags & IFA_F_NODAD) == 0;
}

constexpr auto types = std::array{
  std::pair{route_type::unicast, RTN_UNICAST},
  std::pair{route_type::local, RTN_LOCAL},
  std::pair{route_type::broadcast, RTN_BROADCAST},
  std::pair{route_type::multicast, RTN_MULTICAST},
};

uint8_t number_of(route_type type) {
  for (auto [ours, number] : types)
    if (ours == type)
      return static_cast<uint8_t>(number);
  return RTN_UNSPEC;
}

route_type type_of(uint8_t number) {
  for (auto [ours, theirs] : types)
    if (theirs == number)
      return ours;
  return route_type::other;
}

uint8_t scope_of(const route_info& x) {
  if (x.type == route_type::local)
    return RT_SCOPE_HOST;
  return x.gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
}

netlink_message route_message(int type, int flags, const route_info& x) {
  auto body = rtmsg{};
  body.rtm_family = family_number(x.family);
  body.rtm_table = x.table < 256 ? static_cast<uint8_t>(x.table) : 0;
  body.rtm_type = number_of(x.type);
  body.rtm_protocol = x.protocol;
  constexpr auto any_scope = uint8_t{RT_SCOPE_NOWHERE};
  body.rtm_scope = type == RTM_NEWROUTE ? scope_of(x) : any_scope;
  if (x.destination)
    body.rtm_dst_len = x.destination->length();
  auto message = netlink_message{type, flags, body};
  if (x.table >= 256)
    message.put_u32(RTA_TABLE, x.table);
  if (x.source && type == RTM_NEWROUTE)
    message.put_address(RTA_PREFSRC, *x.source);
  if (x.destination)
    message.put_address(RTA_DST, x.destination->address());
  if (x.gateway)
    message.put_address(RTA_GATEWAY, *x.gateway);
  if (x.index != 0)
    message.put_u32(RTA_OIF, static_cast<uint32_t>(x.index));
  if (x.metric != 0)
    message.put_u32(RTA_PRIORITY, x.metric);
  return message;
}

using route_attributes = netlink_attributes<RTA_MAX>;

void read_hop(route_info hop, int family, const route_attributes& attributes,
              std::vector<route_info>& hops) {
  if (attributes.has(RTA_GATEWAY))
    hop.gateway = attributes.address(RTA_GATEWAY, family);
  hops.push_back(hop);
}

// Each next hop of a multipath route is a header with attributes behind it.
void read_hops(route_info base, int family, const nlattr* nest,
               std::vector<route_info>& hops) {
  auto* data = static_cast<const char*>(nla_data(nest));
  auto left = static_cast<size_t>(nla_len(nest));
  while (left >= sizeof(rtnexthop)) {
    auto head = rtnexthop{};
    std::memcpy(&head, data, sizeof head);
    if (head.rtnh_len < sizeof head || head.rtnh_len > left)
      return;
    base.index = head.rtnh_ifindex;
    read_hop(
      base, family,
      route_attributes::behind(data + sizeof head, head.rtnh_len - sizeof head),
      hops);
    auto step = std::min<size_t>(NLMSG_ALIGN(head.rtnh_len), left);
    data += step;
    left -= step;
  }
}

netlink_message
neighbour_message(int type, int flags, const neighbour_info& x) {
  auto body = ndmsg{};
  body.ndm_family = family_number(x.address.family());
  body.ndm_ifindex = x.index;
  body.ndm_state = NUD_PERMANENT;
  auto message = netlink_message{type, flags, body};
  message.put_address(NDA_DST, x.address);
  if (type == RTM_NEWNEIGH)
    message.put_mac(NDA_LLADDR, x.mac);
  return message;
}

// NUD_VALID of the kernel: packets are sent there.
constexpr auto valid_states = NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE
                              | NUD_PROBE | NUD_STALE | NUD_DELAY;

std::optional<neighbour_info>
read_neighbour_in(const nlmsghdr& message, int states) {
  auto body = body_of<ndmsg>(message);
  if ((body.ndm_state & states) == 0
      || (body.ndm_family != AF_INET && body.ndm_family != AF_INET6))
    return std::nullopt;
  auto attributes = netlink_attributes<NDA_MAX>::of(message, body);
  return neighbour_info{body.ndm_ifindex,
                        attributes.address(NDA_DST, body.ndm_family),
                        attributes.mac(NDA_LLADDR)};
}

using rule_attributes = netlink_attributes<FRA_DPORT_RANGE>;

uint8_t ip_number(protocol x) {
  switch (x) {
  case protocol::tcp:
    return IPPROTO_TCP;
  case protocol::udp:
    return IPPROTO_UDP;
  default:
    return IPPROTO_SCTP;
  }
}

netlink_message rule_message(int type, int flags, const rule_info& x) {
  auto body = fib_rule_hdr{};
  body.family = family_number(x.family);
  body.action = x.jump != 0 ? FR_ACT_GOTO : FR_ACT_TO_TBL;
  body.src_len = x.from ? x.from->length() : 0;
  body.dst_len = x.to ? x.to->length() : 0;
  auto message = netlink_message{type, flags, body};
  message.put_u32(FRA_PRIORITY, x.priority);
  message.put_u8(FRA_PROTOCOL, x.made_by);
  if (x.from)
    message.put_address(FRA_SRC, x.from->address());
  if (x.to)
    message.put_address(FRA_DST, x.to->address());
  if (!x.output.empty())
    message.put_text(FRA_OIFNAME, x.output);
  if (x.proto)
    message.put_u8(FRA_IP_PROTO, ip_number(*x.proto));
  if (x.first_port != 0) {
    auto range = fib_rule_port_range{x.first_port, x.last_port};
    message.put(FRA_SPORT_RANGE,
                {reinterpret_cast<const uint8_t*>(&range), sizeof range});
  }
  if (x.jump != 0)
    message.put_u32(FRA_GOTO, x.jump);
  else
    message.put_u32(FRA_TABLE, x.table);
  if (x.no_default)
    message.put_u32(FRA_SUPPRESS_PREFIXLEN, 0);
  return message;
}

// Conditions and actions that `rule_info` does not know.
bool has_more(const fib_rule_hdr& body, const rule_attributes& attributes,
              const rule_info& known) {
  for (auto type : {FRA_IIFNAME, FRA_FWMARK, FRA_FLOW, FRA_TUN_ID, FRA_L3MDEV,
                    FRA_UID_RANGE, FRA_DPORT_RANGE})
    if (attributes.has(type))
      return true;
  if (attributes.value<int>(FRA_SUPPRESS_IFGROUP, -1) != -1
      || attributes.value<int>(FRA_SUPPRESS_PREFIXLEN, -1) > 0)
    return true;
  return body.tos != 0 || (body.flags & FIB_RULE_INVERT) != 0
         || (attributes.has(FRA_IP_PROTO) && !known.proto)
         || (body.action != FR_ACT_TO_TBL && body.action != FR_ACT_GOTO);
}

} // namespace

netlink_message new_address(int index, const interface_address& x) {
  auto message = address_message(RTM_NEWADDR, make, index, x);
  message.put_u32(IFA_FLAGS, IFA_F_PERMANENT | IFA_F_NODAD);
  return message;
}

netlink_message remove_address(int index, const interface_address& x) {
  return address_message(RTM_DELADDR, 0, index, x);
}

netlink_message ask_addresses(int index) {
  auto body = ifaddrmsg{};
  body.ifa_family = AF_UNSPEC;
  body.ifa_index = static_cast<uint32_t>(index);
  return {RTM_GETADDR, 0, body};
}

std::optional<placed_address> read_address(const nlmsghdr& message) {
  auto body = body_of<ifaddrmsg>(message);
  if (body.ifa_family != AF_INET && body.ifa_family != AF_INET6)
    return std::nullopt;
  auto attributes = netlink_attributes<ifa_proto>::of(message, body);
  auto which = attributes.has(IFA_LOCAL) ? IFA_LOCAL : IFA_ADDRESS;
  auto address = attributes.address(which, body.ifa_family);
  if (address.is_v6() && address.is_link_local()
      && (is_kernel_made(attributes) || is_made_of_mac(address)))
    return std::nullopt;
  return placed_address{static_cast<int>(body.ifa_index),
                        {address, body.ifa_prefixlen}};
}

netlink_message new_route(const route_info& x) {
  // Two links may have addresses in one subnet, or groups: each has a route of
  // its own there.
  auto flags
    = x.protocol == made_by_kernel ? NLM_F_CREATE | NLM_F_APPEND : make;
  return route_message(RTM_NEWROUTE, flags, x);
}

netlink_message remove_route(const route_info& x) {
  return route_message(RTM_DELROUTE, 0, x);
}

netlink_message ask_routes(ip_family family, uint32_t table, int index) {
  auto body = rtmsg{};
  body.rtm_family = family_number(family);
  auto message = netlink_message{RTM_GETROUTE, 0, body};
  if (table != 0)
    message.put_u32(RTA_TABLE, table);
  if (index != 0)
    message.put_u32(RTA_OIF, static_cast<uint32_t>(index));
  return message;
}

std::optional<known_route>
read_route(const nlmsghdr& message, ip_family family, uint32_t wanted) {
  auto body = body_of<rtmsg>(message);
  auto attributes = route_attributes::of(message, body);
  auto table = attributes.value<uint32_t>(RTA_TABLE, body.rtm_table);
  if (body.rtm_family != family_number(family)
      || (wanted != 0 && table != wanted)
      || (body.rtm_flags & RTM_F_CLONED) != 0)
    return std::nullopt;
  auto base = route_info{};
  base.family = family_of(body.rtm_family);
  base.index = attributes.value<int>(RTA_OIF);
  base.metric = attributes.value<uint32_t>(RTA_PRIORITY);
  if (base.family == ip_family::v6 && base.metric == default_metric_v6)
    base.metric = 0;
  if (body.rtm_dst_len != 0)
    base.destination
      = prefix{attributes.address(RTA_DST, body.rtm_family), body.rtm_dst_len};
  base.table = table;
  base.protocol = body.rtm_protocol;
  base.type = type_of(body.rtm_type);
  if (body.rtm_family == AF_INET && attributes.has(RTA_PREFSRC))
    base.source = attributes.address(RTA_PREFSRC, AF_INET);
  auto result = known_route{};
  if (auto* hops = attributes.find(RTA_MULTIPATH))
    read_hops(base, body.rtm_family, hops, result.hops);
  else
    read_hop(base, body.rtm_family, attributes, result.hops);
  return result;
}

netlink_message new_rule(const rule_info& x) {
  return rule_message(RTM_NEWRULE, make, x);
}

netlink_message remove_rule(const rule_info& x) {
  return rule_message(RTM_DELRULE, 0, x);
}

netlink_message ask_rules(ip_family family) {
  auto body = fib_rule_hdr{};
  body.family = family_number(family);
  return {RTM_GETRULE, 0, body};
}

std::optional<rule_info> read_rule(const nlmsghdr& message) {
  auto body = body_of<fib_rule_hdr>(message);
  if (body.family != AF_INET && body.family != AF_INET6)
    return std::nullopt;
  auto attributes = rule_attributes::of(message, body);
  auto result = rule_info{};
  result.family = family_of(body.family);
  result.priority = attributes.value<uint32_t>(FRA_PRIORITY);
  if (attributes.has(FRA_SRC))
    result.from
      = prefix{attributes.address(FRA_SRC, body.family), body.src_len};
  if (attributes.has(FRA_DST))
    result.to = prefix{attributes.address(FRA_DST, body.family), body.dst_len};
  result.output = attributes.text(FRA_OIFNAME);
  auto number = attributes.value<uint8_t>(FRA_IP_PROTO);
  for (auto known : {protocol::tcp, protocol::udp, protocol::sctp})
    if (ip_number(known) == number)
      result.proto = known;
  auto ports = attributes.value<fib_rule_port_range>(FRA_SPORT_RANGE);
  result.first_port = ports.start;
  result.last_port = ports.end;
  if (body.action == FR_ACT_TO_TBL)
    result.table = attributes.value<uint32_t>(FRA_TABLE, body.table);
  if (body.action == FR_ACT_GOTO)
    result.jump = attributes.value<uint32_t>(FRA_GOTO);
  // Without the attribute, or with -1, nothing is suppressed.
  result.no_default = attributes.value<int>(FRA_SUPPRESS_PREFIXLEN, -1) == 0;
  result.made_by = attributes.value<uint8_t>(FRA_PROTOCOL);
  result.says_more = has_more(body, attributes, result);
  return result;
}

netlink_message new_neighbour(const neighbour_info& x) {
  return neighbour_message(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, x);
}

netlink_message remove_neighbour(const neighbour_info& x) {
  return neighbour_message(RTM_DELNEIGH, 0, x);
}

netlink_message ask_neighbours(int index) {
  auto message = netlink_message{RTM_GETNEIGH, 0, ndmsg{}};
  message.put_u32(NDA_IFINDEX, static_cast<uint32_t>(index));
  return message;
}

netlink_message ask_neighbour(int index, const ip_address& address) {
  auto body = ndmsg{};
  body.ndm_family = family_number(address.family());
  body.ndm_ifindex = index;
  auto message = netlink_message{RTM_GETNEIGH, 0, body};
  message.put_address(NDA_DST, address);
  return message;
}

std::optional<neighbour_info> read_neighbour(const nlmsghdr& message) {
  return read_neighbour_in(message, NUD_PERMANENT);
}

std::optional<neighbour_info> read_valid_neighbour(const nlmsghdr& message) {
  return read_neighbour_in(message, valid_states);
}

} // namespace troupe::netns
