#include "troupe/netns/real/event.hpp"

#include "troupe/netns/real/route.hpp"

#include <linux/if_addr.h>
#include <linux/net_namespace.h>
#include <linux/netconf.h>
#include <linux/rtnetlink.h>

namespace troupe::netns {

namespace {

kernel_event read_link_event(const nlmsghdr& message) {
  auto body = body_of<ifinfomsg>(message);
  auto attributes = netlink_attributes<IFLA_MAX>::of(message, body);
  // A port that leaves its bridge is told as the bridge's deletion of it.
  auto gone = message.nlmsg_type == RTM_DELLINK && body.ifi_family != AF_BRIDGE;
  auto event = kernel_event{};
  event.what = gone ? kernel_event::kind::link_removed
                    : kernel_event::kind::link_changed;
  event.index = body.ifi_index;
  event.link_name = attributes.text(IFLA_IFNAME);
  event.group = attributes.value<uint32_t>(IFLA_GROUP);
  return event;
}

kernel_event read_address_event(const nlmsghdr& message) {
  auto event = kernel_event{};
  event.what = kernel_event::kind::address_changed;
  event.index = static_cast<int>(body_of<ifaddrmsg>(message).ifa_index);
  return event;
}

std::optional<kernel_event> read_route_event(const nlmsghdr& message) {
  auto body = body_of<rtmsg>(message);
  auto attributes = netlink_attributes<RTA_MAX>::of(message, body);
  auto table = attributes.value<uint32_t>(RTA_TABLE, body.rtm_table);
  if ((body.rtm_flags & RTM_F_CLONED) != 0)
    return std::nullopt;
  // What comes for an address comes with its own event; what goes may have
  // been deleted by somebody, in any table.
  if (message.nlmsg_type == RTM_NEWROUTE
      && (table != RT_TABLE_MAIN || body.rtm_protocol == RTPROT_KERNEL))
    return std::nullopt;
  auto event = kernel_event{};
  event.what = kernel_event::kind::route_changed;
  event.index = attributes.value<int>(RTA_OIF);
  return event;
}

// What the kernel learns bears no port; nor does what it does for bridges.
std::optional<kernel_event> read_neighbour_event(const nlmsghdr& message) {
  auto neighbour = read_valid_neighbour(message);
  if (!neighbour || message.nlmsg_pid == 0)
    return std::nullopt;
  auto event = kernel_event{};
  event.what = kernel_event::kind::neighbour_changed;
  event.index = neighbour->index;
  return event;
}

// Only ours are compared.
std::optional<kernel_event> read_rule_event(const nlmsghdr& message) {
  auto rule = read_rule(message);
  if (!rule || rule->made_by != made_by_troupe)
    return std::nullopt;
  auto event = kernel_event{};
  event.what = kernel_event::kind::route_changed;
  return event;
}

// What is switched on cuts no traffic; each new link tells its settings, too.
std::optional<kernel_event> read_settings_event(const nlmsghdr& message) {
  auto body = body_of<netconfmsg>(message);
  auto attributes = netlink_attributes<NETCONFA_MAX>::of(message, body);
  auto index
    = attributes.value<int>(NETCONFA_IFINDEX, NETCONFA_IFINDEX_DEFAULT);
  auto is_link = index > 0 && body.ncm_family == AF_INET;
  if (attributes.value<int>(NETCONFA_FORWARDING, 1) != 0
      || (!is_link && index != NETCONFA_IFINDEX_ALL))
    return std::nullopt;
  auto event = kernel_event{};
  event.what = kernel_event::kind::settings_changed;
  event.index = is_link ? index : 0;
  return event;
}

} // namespace

std::optional<kernel_event> read_event(const nlmsghdr& message) {
  switch (message.nlmsg_type) {
  case RTM_NEWLINK:
  case RTM_DELLINK:
    return read_link_event(message);
  case RTM_NEWADDR:
  case RTM_DELADDR:
    return read_address_event(message);
  case RTM_NEWNEIGH:
    return read_neighbour_event(message);
  case RTM_NEWROUTE:
  case RTM_DELROUTE:
    return read_route_event(message);
  case RTM_DELRULE:
    return read_rule_event(message);
  case RTM_NEWNETCONF:
    return read_settings_event(message);
  default:
    return std::nullopt;
  }
}

std::optional<int> read_changed_nsid(const nlmsghdr& message) {
  if (message.nlmsg_type == RTM_NEWNSID || message.nlmsg_type == RTM_DELNSID)
    return read_nsid(message);
  return std::nullopt;
}

netlink_message ask_nsid(int ns) {
  auto message = netlink_message{RTM_GETNSID, 0, rtgenmsg{AF_UNSPEC}};
  message.put_u32(NETNSA_FD, static_cast<uint32_t>(ns));
  return message;
}

std::optional<int> read_nsid(const nlmsghdr& message) {
  auto attributes
    = netlink_attributes<NETNSA_MAX>::of(message, rtgenmsg{AF_UNSPEC});
  auto nsid = attributes.value<int>(NETNSA_NSID, NETNSA_NSID_NOT_ASSIGNED);
  if (nsid == NETNSA_NSID_NOT_ASSIGNED)
    return std::nullopt;
  return nsid;
}

} // namespace troupe::netns
