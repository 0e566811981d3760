// Whatever the kernel answers, or another program sends us under its name:
// every reader of netlink takes it without reading beyond its end.

#include "troupe/netns/audit/socket.hpp"
#include "troupe/netns/firewall/event.hpp"
#include "troupe/netns/firewall/messages.hpp"
#include "troupe/netns/real/event.hpp"
#include "troupe/netns/real/link.hpp"
#include "troupe/netns/real/route.hpp"
#include "troupe/netns/real/socket.hpp"

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include <linux/netfilter/nf_tables.h>
#include <linux/rtnetlink.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

using namespace troupe;
using namespace troupe::netns;

/// What the next receive gives; the sequence number is made to fit.
std::string_view datagram;
bool pretends = false;
uint32_t sequence = 0;

ssize_t take_datagram(void* bytes, size_t room) {
  if (datagram.empty()) {
    errno = EAGAIN;
    return -1;
  }
  // Two bytes of length, then one datagram.
  auto size = uint16_t{0};
  std::memcpy(&size, datagram.data(), std::min(sizeof size, datagram.size()));
  datagram.remove_prefix(std::min(sizeof size, datagram.size()));
  const auto taken = std::min<size_t>({size, datagram.size(), room});
  if (taken > 0)
    std::memcpy(bytes, datagram.data(), taken);
  datagram.remove_prefix(taken);
  auto left = static_cast<int>(taken);
  for (auto* x = static_cast<nlmsghdr*>(bytes); nlmsg_ok(x, left) != 0;
       x = nlmsg_next(x, &left))
    x->nlmsg_seq = sequence;
  return static_cast<ssize_t>(taken);
}

} // namespace

// In the place of the C library's.
extern "C" {

ssize_t send(int fd, const void* bytes, size_t size, int flags) {
  if (!pretends)
    return ::syscall(SYS_sendto, fd, bytes, size, flags, nullptr, 0);
  auto header = nlmsghdr{};
  std::memcpy(&header, bytes, sizeof header);
  sequence = header.nlmsg_seq;
  return static_cast<ssize_t>(size);
}

ssize_t recv(int fd, void* bytes, size_t size, int flags) {
  return pretends
           ? take_datagram(bytes, size)
           : ::syscall(SYS_recvfrom, fd, bytes, size, flags, nullptr, nullptr);
}

ssize_t recvmsg(int fd, msghdr* message, int flags) {
  return pretends ? take_datagram(message->msg_iov->iov_base,
                                  message->msg_iov->iov_len)
                  : ::syscall(SYS_recvmsg, fd, message, flags);
}

} // extern "C"

namespace {

/// Every reader of one message. The copy ends where the message does.
void read(const nlmsghdr& x) {
  constexpr auto some_set = firewall::set_id::publish4_any;
  (void)read_link(x);
  (void)read_statistics(x);
  (void)read_address(x);
  (void)read_route(x, ip_family::v4, 0);
  (void)read_route(x, ip_family::v6, main_table);
  (void)read_rule(x);
  (void)read_neighbour(x);
  (void)read_event(x);
  (void)read_changed_nsid(x);
  (void)read_nsid(x);
  (void)firewall::is_foreign_change(x, "troupe", nullptr);
  auto elements = std::vector<firewall::element>{};
  (void)firewall::read_elements(x, schema_of(some_set), elements);
  (void)firewall::read_generation(x);
  (void)firewall::read_chain(x);
}

void read_alone(const nlmsghdr& x) {
  auto copy = std::vector<uint32_t>((x.nlmsg_len + 3) / 4);
  std::memcpy(copy.data(), &x, x.nlmsg_len);
  read(*reinterpret_cast<const nlmsghdr*>(copy.data()));
}

void ask_ours(netlink_socket& socket) {
  auto request = ask_link(0);
  auto restarts = 0;
  (void)socket.dump(
    request,
    [&] {
      ++restarts;
      if (restarts > 2)
        datagram = {};
    },
    read_alone);
  auto one = ask_link(1);
  (void)socket.query(one, read_alone);
  auto change = remove_link(1);
  (void)socket.call(change);
}

void ask_audit(audit_socket& socket) {
  auto found = socket.dump(RTM_GETLINK, ifinfomsg{});
  if (!found)
    return;
  for (const auto& x : *found) {
    auto head = x.head<ifinfomsg>();
    auto attributes = x.attributes(sizeof head);
    (void)attributes.text(IFLA_IFNAME);
    (void)attributes.number<uint32_t>(IFLA_MTU);
    auto inside = attributes.inside(IFLA_LINKINFO);
    (void)inside.inside(IFLA_INFO_SLAVE_DATA)
      .number<uint8_t>(IFLA_BRPORT_ISOLATED);
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static auto ours
    = netlink_socket::adopt(netlink_socket::open_descriptor(NETLINK_ROUTE));
  static auto audit = audit_socket::open();
  if (!ours || !audit)
    std::abort();
  const auto all = std::string_view{reinterpret_cast<const char*>(data), size};
  pretends = true;
  datagram = all;
  ask_ours(*ours);
  datagram = all;
  ask_audit(*audit);
  pretends = false;
  return 0;
}
