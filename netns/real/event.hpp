#pragma once

#include "troupe/netns/real/message.hpp"
#include "troupe/netns/watch.hpp"

#include <optional>

/// What the kernel's notifications say. Private to netns.
namespace troupe::netns {

/// Nothing for what no event tells about: routes of other tables, those the
/// kernel adds for addresses, and other kinds of messages. The event's
/// namespace is left empty, and so is the link's name but for link events.
std::optional<kernel_event> read_event(const nlmsghdr& message);

/// A number of a namespace (nsid) that is new or no longer in use.
std::optional<int> read_changed_nsid(const nlmsghdr& message);

/// Asks for the number of a namespace.
/// @param ns A descriptor of it.
netlink_message ask_nsid(int ns);

/// The answer; nothing if the namespace has no number.
std::optional<int> read_nsid(const nlmsghdr& message);

} // namespace troupe::netns
