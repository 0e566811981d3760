#include "troupe/netns/netlink_route.hpp"

#include <linux/if_addr.h>
#include <linux/ipv6_route.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

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

netlink_message route_message(int type, int flags, const route_info& x) {
  auto body = rtmsg{};
  body.rtm_family = family_number(x.family);
  body.rtm_table = RT_TABLE_MAIN;
  if (x.destination)
    body.rtm_dst_len = x.destination->length();
  if (type == RTM_NEWROUTE) {
    body.rtm_type = RTN_UNICAST;
    body.rtm_protocol = RTPROT_STATIC;
    body.rtm_scope = x.gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
  } else {
    body.rtm_scope = RT_SCOPE_NOWHERE;
  }
  auto message = netlink_message{type, flags, body};
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

std::optional<interface_address>
read_address(const nlmsghdr& message, int index) {
  auto body = body_of<ifaddrmsg>(message);
  if (body.ifa_index != static_cast<uint32_t>(index)
      || (body.ifa_family != AF_INET && body.ifa_family != AF_INET6))
    return std::nullopt;
  auto attributes = netlink_attributes<ifa_proto>::of(message, body);
  auto which = attributes.has(IFA_LOCAL) ? IFA_LOCAL : IFA_ADDRESS;
  auto address = attributes.address(which, body.ifa_family);
  if (address.is_v6() && address.is_link_local() && is_kernel_made(attributes))
    return std::nullopt;
  return interface_address{address, body.ifa_prefixlen};
}

netlink_message new_route(const route_info& x) {
  return route_message(RTM_NEWROUTE, make, x);
}

netlink_message remove_route(const route_info& x) {
  return route_message(RTM_DELROUTE, 0, x);
}

netlink_message ask_routes(ip_family family) {
  auto body = rtmsg{};
  body.rtm_family = family_number(family);
  body.rtm_table = RT_TABLE_MAIN;
  return {RTM_GETROUTE, 0, body};
}

std::optional<known_route>
read_route(const nlmsghdr& message, ip_family family) {
  auto body = body_of<rtmsg>(message);
  auto attributes = route_attributes::of(message, body);
  auto table = attributes.value<uint32_t>(RTA_TABLE, body.rtm_table);
  if (body.rtm_family != family_number(family) || table != RT_TABLE_MAIN
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
  auto result = known_route{};
  result.kernel_made = body.rtm_protocol == RTPROT_KERNEL;
  result.unicast = body.rtm_type == RTN_UNICAST;
  if (auto* hops = attributes.find(RTA_MULTIPATH))
    read_hops(base, body.rtm_family, hops, result.hops);
  else
    read_hop(base, body.rtm_family, attributes, result.hops);
  return result;
}

netlink_message new_neighbour(const neighbour_info& x) {
  return neighbour_message(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, x);
}

netlink_message remove_neighbour(const neighbour_info& x) {
  return neighbour_message(RTM_DELNEIGH, 0, x);
}

} // namespace troupe::netns
