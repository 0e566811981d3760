#include "troupe/netns/firewall/event.hpp"

#include "troupe/netns/firewall/ruleset.hpp"
#include "troupe/netns/real/message.hpp"
#include "troupe/netns/real/socket.hpp"

#include <cerrno>

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

namespace troupe::netns::firewall {

namespace {

// A load of 50 000 elements is told element by element.
constexpr auto receive_buffer_bytes = 32 << 20;

// What users write into them is theirs, but without them they cannot.
bool takes_user_chain(unsigned kind, std::string_view table) {
  return table == user_table
         && (kind == NFT_MSG_DELTABLE || kind == NFT_MSG_DELCHAIN);
}

} // namespace

result<unique_fd> open_events() {
  auto operation = "subscribe to firewall events";
  auto fd = netlink_socket::open_descriptor(NETLINK_NETFILTER);
  if (!fd)
    return fail(os_failure(errno, operation));
  auto size = receive_buffer_bytes;
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size)
      != 0)
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  auto address = sockaddr_nl{};
  address.nl_family = AF_NETLINK;
  auto group = int{NFNLGRP_NFTABLES};
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address)
        != 0
      || ::setsockopt(fd.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group,
                      sizeof group)
           != 0)
    return fail(os_failure(errno, operation));
  return fd;
}

bool is_foreign_change(const nlmsghdr& message, const std::string& table,
                       const sender_list* ours) {
  auto kind = static_cast<unsigned>(message.nlmsg_type);
  // The name of the table has the same number in all messages but this one.
  static_assert(NFTA_TABLE_NAME == 1 && NFTA_CHAIN_TABLE == 1
                && NFTA_RULE_TABLE == 1 && NFTA_SET_TABLE == 1
                && NFTA_SET_ELEM_LIST_TABLE == 1);
  if (kind >> 8U != NFNL_SUBSYS_NFTABLES || (kind & 0xffU) == NFT_MSG_NEWGEN)
    return false;
  auto xs = netlink_attributes<1>::of(message, nfgenmsg{});
  auto changed = xs.text(NFTA_TABLE_NAME);
  return (changed == table || takes_user_chain(kind & 0xffU, changed))
         && (ours == nullptr || !ours->contains(message.nlmsg_pid));
}

bool is_new_firewalld(const nlmsghdr& message) {
  auto kind = static_cast<unsigned>(message.nlmsg_type);
  return kind == (NFNL_SUBSYS_NFTABLES << 8U | NFT_MSG_NEWTABLE)
         && netlink_attributes<1>::of(message, nfgenmsg{}).text(NFTA_TABLE_NAME)
              == "firewalld";
}

} // namespace troupe::netns::firewall
