#pragma once

#include "troupe/config/model/error.hpp"
#include "troupe/netns/firewall/senders.hpp"
#include "troupe/netns/unique_fd.hpp"

#include <string>

struct nlmsghdr;

/// Notifications of nf_tables. Private to netns.
namespace troupe::netns::firewall {

/// Subscribes to the changes of the calling thread's namespace.
result<unique_fd> open_events();

/// True if the message tells of a change of a table of that name that was made
/// by a sender that is none of ours.
bool is_foreign_change(const nlmsghdr& message, const std::string& table,
                       const sender_list* ours);

/// True if the message tells that firewalld has made its table.
bool is_new_firewalld(const nlmsghdr& message);

} // namespace troupe::netns::firewall
