#include "troupe/netns/real/link.hpp"

#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>

namespace troupe::netns {

namespace {

constexpr auto make = NLM_F_CREATE | NLM_F_EXCL;

// in6_addr_gen_mode of <linux/if_link.h>, which C++ cannot name without
// drawing in a second definition of `in6_addr`.
constexpr auto no_address = uint8_t{1};

ifinfomsg link_body(int index) {
  auto body = ifinfomsg{};
  body.ifi_family = AF_UNSPEC;
  body.ifi_index = index;
  return body;
}

void raise(ifinfomsg& body, bool up) {
  body.ifi_flags = up ? IFF_UP : 0;
  body.ifi_change = IFF_UP;
}

void put_mtu(netlink_message& message, uint32_t mtu_bytes) {
  if (mtu_bytes != 0)
    message.put_u32(IFLA_MTU, mtu_bytes);
}

// The peer's description is a link message of its own.
void put_peer(netlink_message& message, const veth_request& request,
              int peer_namespace) {
  message.append(link_body(0));
  message.put_text(IFLA_IFNAME, request.peer_name);
  if (!request.peer_mac.is_zero())
    message.put_mac(IFLA_ADDRESS, request.peer_mac);
  put_mtu(message, request.mtu_bytes);
  message.put_u32(IFLA_NET_NS_FD, static_cast<uint32_t>(peer_namespace));
}

void put_link_local_learning(netlink_message& message, bool on) {
  constexpr auto bit = uint32_t{1} << uint32_t{BR_BOOLOPT_NO_LL_LEARN};
  auto options = br_boolopt_multi{on ? 0 : bit, bit};
  message.put(IFLA_BR_MULTI_BOOLOPT,
              {reinterpret_cast<const uint8_t*>(&options), sizeof options});
}

std::optional<port_flags> read_port(const nlattr* info) {
  auto kinds = netlink_attributes<IFLA_INFO_MAX>::within(info);
  if (kinds.text(IFLA_INFO_SLAVE_KIND) != "bridge")
    return std::nullopt;
  auto port = netlink_attributes<IFLA_BRPORT_MAX>::within(
    kinds.find(IFLA_INFO_SLAVE_DATA));
  auto is_set = [&](int flag, bool missing = true) {
    return port.value<uint8_t>(flag, missing ? 1 : 0) != 0;
  };
  return port_flags{
    is_set(IFLA_BRPORT_ISOLATED, false), is_set(IFLA_BRPORT_MODE, false),
    is_set(IFLA_BRPORT_LEARNING),        is_set(IFLA_BRPORT_UNICAST_FLOOD),
    is_set(IFLA_BRPORT_BCAST_FLOOD),     is_set(IFLA_BRPORT_MCAST_FLOOD),
    is_set(IFLA_BRPORT_LOCKED, false)};
}

// Without a carrier the kernel itself disables a port.
bool is_blocked(const ifinfomsg& body, const nlattr* info) {
  auto port = netlink_attributes<IFLA_BRPORT_MAX>::within(
    netlink_attributes<IFLA_INFO_MAX>::within(info).find(IFLA_INFO_SLAVE_DATA));
  return (body.ifi_flags & IFF_UP) != 0 && (body.ifi_flags & IFF_RUNNING) != 0
         && port.value<uint8_t>(IFLA_BRPORT_STATE, BR_STATE_FORWARDING)
              != BR_STATE_FORWARDING;
}

void read_bridge(const nlattr* info, link_info& link) {
  auto bridge = netlink_attributes<IFLA_BR_MAX>::within(
    netlink_attributes<IFLA_INFO_MAX>::within(info).find(IFLA_INFO_DATA));
  link.stp = bridge.value<uint32_t>(IFLA_BR_STP_STATE) != 0;
  link.vlan_filtering = bridge.value<uint8_t>(IFLA_BR_VLAN_FILTERING) != 0;
  // Kernels before 5.0 have no such option: they learn.
  auto options = bridge.value<br_boolopt_multi>(IFLA_BR_MULTI_BOOLOPT);
  link.learns_link_local
    = (options.optval >> uint32_t{BR_BOOLOPT_NO_LL_LEARN} & 1U) == 0;
}

bool has_bridge_details(const link_change& change) {
  return change.stp || change.vlan_filtering || change.learns_link_local;
}

bool has_details(const link_change& change) {
  return has_bridge_details(change) || change.port_blocked;
}

// What only the kind of a link, or that of its master, understands.
void put_details(netlink_message& message, const link_change& change) {
  if (!has_details(change))
    return;
  message.nest(IFLA_LINKINFO, [&] {
    if (has_bridge_details(change)) {
      message.put_text(IFLA_INFO_KIND, "bridge");
      message.nest(IFLA_INFO_DATA, [&] {
        if (change.stp)
          message.put_u32(IFLA_BR_STP_STATE, *change.stp ? 1 : 0);
        if (change.vlan_filtering)
          message.put_u8(IFLA_BR_VLAN_FILTERING,
                         *change.vlan_filtering ? 1 : 0);
        if (change.learns_link_local)
          put_link_local_learning(message, *change.learns_link_local);
      });
    }
    if (change.port_blocked) {
      message.put_text(IFLA_INFO_SLAVE_KIND, "bridge");
      message.nest(IFLA_INFO_SLAVE_DATA, [&] {
        message.put_u8(IFLA_BRPORT_STATE, BR_STATE_FORWARDING);
      });
    }
  });
}

} // namespace

netlink_message new_bridge(const bridge_request& request) {
  auto message = netlink_message{RTM_NEWLINK, make, link_body(0)};
  message.put_text(IFLA_IFNAME, request.name);
  if (!request.mac.is_zero())
    message.put_mac(IFLA_ADDRESS, request.mac);
  message.put_u32(IFLA_GROUP, request.group);
  message.nest(IFLA_LINKINFO, [&] {
    message.put_text(IFLA_INFO_KIND, "bridge");
    message.nest(IFLA_INFO_DATA, [&] {
      // Only what differs from the kernel's default: one that was built
      // without VLAN filtering refuses even to switch it off.
      if (request.vlan_filtering)
        message.put_u8(IFLA_BR_VLAN_FILTERING, 1);
      if (!request.multicast_snooping)
        message.put_u8(IFLA_BR_MCAST_SNOOPING, 0);
      if (!request.learns_link_local)
        put_link_local_learning(message, false);
    });
  });
  return message;
}

netlink_message new_veth(const veth_request& request, int peer_namespace) {
  auto body = link_body(0);
  raise(body, request.up);
  auto message = netlink_message{RTM_NEWLINK, make, body};
  message.put_text(IFLA_IFNAME, request.name);
  if (!request.mac.is_zero())
    message.put_mac(IFLA_ADDRESS, request.mac);
  put_mtu(message, request.mtu_bytes);
  message.put_u32(IFLA_GROUP, request.group);
  if (request.master != 0)
    message.put_u32(IFLA_MASTER, static_cast<uint32_t>(request.master));
  message.nest(IFLA_LINKINFO, [&] {
    message.put_text(IFLA_INFO_KIND, "veth");
    message.nest(IFLA_INFO_DATA, [&] {
      message.nest(VETH_INFO_PEER, [&] {
        put_peer(message, request, peer_namespace);
      });
    });
  });
  return message;
}

netlink_message
complete_veth(int index, const std::string& alias, bool with_ipv6) {
  auto change = link_change{};
  if (!alias.empty())
    change.alias = alias;
  auto message = change_link(index, change);
  if (with_ipv6)
    message.nest(IFLA_AF_SPEC, [&] {
      message.nest(AF_INET6, [&] {
        message.put_u8(IFLA_INET6_ADDR_GEN_MODE, no_address);
      });
    });
  return message;
}

netlink_message change_link(int index, const link_change& change) {
  auto body = link_body(index);
  if (change.up)
    raise(body, *change.up);
  if (change.arp) {
    body.ifi_flags |= *change.arp ? 0 : IFF_NOARP;
    body.ifi_change |= IFF_NOARP;
  }
  // RTM_SETLINK does not look at the details.
  auto message
    = netlink_message{has_details(change) ? RTM_NEWLINK : RTM_SETLINK, 0, body};
  if (change.name)
    message.put_text(IFLA_IFNAME, *change.name);
  if (change.mac)
    message.put_mac(IFLA_ADDRESS, *change.mac);
  if (change.mtu_bytes)
    message.put_u32(IFLA_MTU, *change.mtu_bytes);
  if (change.group)
    message.put_u32(IFLA_GROUP, *change.group);
  if (change.master)
    message.put_u32(IFLA_MASTER, static_cast<uint32_t>(*change.master));
  if (change.alias)
    message.put(IFLA_IFALIAS,
                {reinterpret_cast<const uint8_t*>(change.alias->data()),
                 change.alias->size()});
  put_details(message, change);
  return message;
}

netlink_message change_port(int index, const port_flags& flags) {
  auto body = link_body(index);
  body.ifi_family = AF_BRIDGE;
  auto message = netlink_message{RTM_SETLINK, 0, body};
  message.nest(IFLA_PROTINFO | NLA_F_NESTED, [&] {
    message.put_u8(IFLA_BRPORT_ISOLATED, flags.isolated ? 1 : 0);
    message.put_u8(IFLA_BRPORT_MODE, flags.hairpin ? 1 : 0);
    message.put_u8(IFLA_BRPORT_LEARNING, flags.learning ? 1 : 0);
    message.put_u8(IFLA_BRPORT_UNICAST_FLOOD, flags.flood ? 1 : 0);
    message.put_u8(IFLA_BRPORT_BCAST_FLOOD, flags.broadcast_flood ? 1 : 0);
    message.put_u8(IFLA_BRPORT_MCAST_FLOOD, flags.multicast_flood ? 1 : 0);
    message.put_u8(IFLA_BRPORT_LOCKED, flags.locked ? 1 : 0);
  });
  return message;
}

netlink_message bind_mac(int index, const mac_address& mac) {
  auto body = ndmsg{};
  body.ndm_family = AF_BRIDGE;
  body.ndm_ifindex = index;
  body.ndm_state = NUD_NOARP; // `static`, as iproute2 says.
  body.ndm_flags = NTF_MASTER;
  auto message
    = netlink_message{RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, body};
  message.put_mac(NDA_LLADDR, mac);
  return message;
}

netlink_message remove_link(int index) {
  return {RTM_DELLINK, 0, link_body(index)};
}

netlink_message remove_group(uint32_t group) {
  auto message = netlink_message{RTM_DELLINK, 0, link_body(0)};
  message.put_u32(IFLA_GROUP, group);
  return message;
}

netlink_message ask_link(int index) {
  auto message = netlink_message{RTM_GETLINK, 0, link_body(index)};
  message.put_u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  return message;
}

netlink_message ask_link(const std::string& name) {
  auto message = ask_link(0);
  message.put_text(IFLA_IFNAME, name);
  return message;
}

netlink_message change_promotion(int index, bool on) {
  auto message = netlink_message{RTM_SETLINK, 0, link_body(index)};
  message.nest(IFLA_AF_SPEC, [&] {
    message.nest(AF_INET, [&] {
      message.nest(IFLA_INET_CONF, [&] {
        message.put_u32(IPV4_DEVCONF_PROMOTE_SECONDARIES, on ? 1 : 0);
      });
    });
  });
  return message;
}

netlink_message ask_statistics(int index) {
  auto body = if_stats_msg{};
  body.ifindex = static_cast<uint32_t>(index);
  body.filter_mask = IFLA_STATS_FILTER_BIT(IFLA_STATS_LINK_64);
  return {RTM_GETSTATS, 0, body};
}

link_info read_link(const nlmsghdr& message) {
  auto body = body_of<ifinfomsg>(message);
  auto attributes = netlink_attributes<IFLA_MAX>::of(message, body);
  auto* info = attributes.find(IFLA_LINKINFO);
  auto result = link_info{};
  result.index = body.ifi_index;
  result.up = (body.ifi_flags & IFF_UP) != 0;
  result.name = attributes.text(IFLA_IFNAME);
  result.kind
    = netlink_attributes<IFLA_INFO_MAX>::within(info).text(IFLA_INFO_KIND);
  result.mac = attributes.mac(IFLA_ADDRESS);
  result.mtu_bytes = attributes.value<uint32_t>(IFLA_MTU);
  result.master = attributes.value<int>(IFLA_MASTER);
  result.group = attributes.value<uint32_t>(IFLA_GROUP);
  result.alias = attributes.text(IFLA_IFALIAS);
  result.port = read_port(info);
  result.port_blocked = result.port && is_blocked(body, info);
  result.arp = (body.ifi_flags & IFF_NOARP) == 0;
  if (result.kind == "bridge")
    read_bridge(info, result);
  return result;
}

bool read_promotion(const nlmsghdr& message) {
  auto attributes
    = netlink_attributes<IFLA_MAX>::of(message, body_of<ifinfomsg>(message));
  auto families
    = netlink_attributes<AF_INET>::within(attributes.find(IFLA_AF_SPEC));
  auto inet = netlink_attributes<IFLA_INET_MAX>::within(families.find(AF_INET));
  // An array of all settings, of which the first one is number 1.
  using settings = std::array<int, IPV4_DEVCONF_PROMOTE_SECONDARIES>;
  return inet.value<settings>(IFLA_INET_CONF).back() != 0;
}

link_statistics read_statistics(const nlmsghdr& message) {
  auto body = body_of<if_stats_msg>(message);
  auto all = netlink_attributes<IFLA_STATS_MAX>::of(message, body);
  auto from = all.value<rtnl_link_stats64>(IFLA_STATS_LINK_64);
  return {from.rx_bytes, from.rx_packets, from.rx_errors, from.rx_dropped,
          from.tx_bytes, from.tx_packets, from.tx_errors, from.tx_dropped};
}

} // namespace troupe::netns
