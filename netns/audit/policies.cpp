#include "troupe/netns/audit/policies.hpp"

#include "troupe/netns/audit/socket.hpp"

#include <algorithm>
#include <set>

#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/xfrm.h>

namespace troupe::netns {

namespace {

ip_address address_of(uint16_t family, const xfrm_address_t& x) {
  return ip_address::from_bytes(family == AF_INET6 ? ip_family::v6
                                                   : ip_family::v4,
                                reinterpret_cast<const uint8_t*>(&x));
}

std::string direction_of(uint8_t x) {
  return x == XFRM_POLICY_IN ? "in" : x == XFRM_POLICY_OUT ? "out" : "fwd";
}

// Does it want a protection that no state gives? Then it drops, too.
bool wants_in_vain(const audit_message& policy,
                   const std::set<uint32_t>& states) {
  auto templates
    = policy.attributes(sizeof(xfrm_userpolicy_info)).bytes(XFRMA_TMPL);
  while (templates.size() >= sizeof(xfrm_user_tmpl)) {
    auto x = beginning_of<xfrm_user_tmpl>(templates);
    if (x.optional == 0 && !states.contains(x.id.daddr.a4))
      return true;
    templates.remove_prefix(sizeof x);
  }
  return false;
}

result<std::set<uint32_t>> read_states(audit_socket& socket) {
  auto found = socket.dump(XFRM_MSG_GETSA, xfrm_usersa_id{});
  if (!found)
    return fail(std::move(found.error()));
  auto result = std::set<uint32_t>{};
  for (const auto& x : *found)
    result.insert(x.head<xfrm_usersa_info>().id.daddr.a4);
  return result;
}

} // namespace

result<std::vector<obstruction>>
find_policies(std::span<const promised_network> networks) {
  auto found = std::vector<obstruction>{};
  auto socket = audit_socket::open(NETLINK_XFRM);
  if (!socket)
    return found; // A kernel without IPsec.
  auto policies = socket->dump(XFRM_MSG_GETPOLICY, xfrm_userpolicy_id{});
  if (!policies || policies->empty())
    return found;
  auto states = read_states(*socket);
  if (!states)
    return fail(std::move(states.error()));
  for (const auto& message : *policies) {
    auto x = message.head<xfrm_userpolicy_info>();
    auto blocks = x.action == XFRM_POLICY_BLOCK;
    if (x.dir > XFRM_POLICY_FWD
        || (!blocks && !wants_in_vain(message, *states)))
      continue;
    auto from
      = prefix{address_of(x.sel.family, x.sel.saddr), x.sel.prefixlen_s};
    auto to = prefix{address_of(x.sel.family, x.sel.daddr), x.sel.prefixlen_d};
    auto touched = std::ranges::find_if(networks, [&](const auto& network) {
      return std::ranges::any_of(network.subnets, [&](const prefix& y) {
        return from.overlaps(y) || to.overlaps(y);
      });
    });
    if (touched == networks.end())
      continue;
    auto text = "src " + to_string(from) + " dst " + to_string(to) + " dir "
                + direction_of(x.dir);
    found.push_back({obstruction::owner::others, touched->title,
                     "IPsec policy " + text
                       + (blocks ? " blocks"
                                 : " wants a state there is none "
                                   "of"),
                     "ip xfrm policy delete " + text});
  }
  return found;
}

result<std::vector<obstruction>>
find_queues(const std::vector<audit_link>& links,
            std::span<const promised_network> networks) {
  auto found = std::vector<obstruction>{};
  auto socket = audit_socket::open(NETLINK_ROUTE);
  if (!socket)
    return fail(std::move(socket.error()));
  auto ours = std::vector<std::pair<std::string, std::string>>{};
  for (const auto& network : networks) {
    ours.emplace_back(network.bridge, network.title);
    for (const auto& x : network.members)
      ours.emplace_back(x.port, x.title);
  }
  std::ranges::sort(ours);
  auto queues = socket->dump(RTM_GETQDISC, tcmsg{});
  if (!queues && queues.error().os_error == EOPNOTSUPP)
    return found;
  if (!queues)
    return fail(std::move(queues.error()));
  for (const auto& message : *queues) {
    auto head = message.head<tcmsg>();
    auto attributes = message.attributes(sizeof head);
    auto kind = attributes.text(TCA_KIND);
    auto options = attributes.bytes(TCA_OPTIONS);
    auto limit = beginning_of<tc_fifo_qopt>(options);
    auto is_fifo = kind == "pfifo" || kind == "bfifo";
    auto loses_all = kind == "netem"
                     && beginning_of<tc_netem_qopt>(options).loss == UINT32_MAX;
    if (head.tcm_parent != TC_H_ROOT
        || !(kind == "blackhole" || loses_all || (is_fifo && limit.limit == 0)))
      continue;
    auto link = std::ranges::find(links, head.tcm_ifindex, &audit_link::index);
    if (link == links.end())
      continue;
    auto who = std::ranges::find(ours, link->name,
                                 &std::pair<std::string, std::string>::first);
    if (who != ours.end())
      found.push_back(
        {obstruction::owner::others, who->second,
         "queue " + kind + " on link " + link->name + " drops everything",
         "tc qdisc del dev " + link->name + " root"});
  }
  return found;
}

} // namespace troupe::netns
