#include "troupe/tests/unit/netns/interrupted_dump.hpp"

#include "troupe/netns/real/socket.hpp"

#include <set>

#include <linux/rtnetlink.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace troupe::netns {

namespace {

/// Lists that are still to be interrupted.
int interruptions = 0;

/// Takes the first object out and marks the rest.
void interrupt(char* bytes, ssize_t size) {
  auto left = static_cast<int>(size);
  auto* message = reinterpret_cast<nlmsghdr*>(bytes);
  if (nlmsg_ok(message, left) != 0)
    message->nlmsg_type = NLMSG_NOOP;
  for (; nlmsg_ok(message, left) != 0; message = nlmsg_next(message, &left))
    message->nlmsg_flags |= NLM_F_DUMP_INTR;
}

} // namespace

} // namespace troupe::netns

// In the place of the C library's.
extern "C" ssize_t recvmsg(int fd, msghdr* message, int flags) {
  const auto size = ::syscall(SYS_recvmsg, fd, message, flags);
  if (size > 0 && troupe::netns::interruptions > 0) {
    --troupe::netns::interruptions;
    troupe::netns::interrupt(static_cast<char*>(message->msg_iov->iov_base),
                             size);
  }
  return size;
}

namespace troupe::netns {

std::string check_interrupted_dump() {
  auto socket
    = netlink_socket::adopt(netlink_socket::open_descriptor(NETLINK_ROUTE));
  if (!socket)
    return socket.error().message;
  auto body = ifinfomsg{};
  body.ifi_family = AF_UNSPEC;
  auto request = netlink_message{RTM_GETLINK, 0, body};
  auto found = std::multiset<int>{};
  auto restarts = 0;
  interruptions = 1;
  auto answer = socket->dump(
    request,
    [&] {
      ++restarts;
      found.clear();
    },
    [&](const nlmsghdr& message) {
      if (message.nlmsg_type == RTM_NEWLINK)
        found.insert(body_of<ifinfomsg>(message).ifi_index);
    });
  if (!answer.ok())
    return answer.fail("list links").value().message;
  constexpr auto loopback = 1;
  if (restarts != 1)
    return "the list was read " + std::to_string(1 + restarts) + " times";
  return found.count(loopback) == 1 ? "" : "the loopback device is missing";
}

} // namespace troupe::netns
