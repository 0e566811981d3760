#include "troupe/netns/watch.hpp"

#include "troupe/netns/firewall/event.hpp"
#include "troupe/netns/real/event.hpp"
#include "troupe/netns/real/pin_index.hpp"
#include "troupe/netns/unique_fd.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <optional>
#include <thread>
#include <utility>

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

namespace troupe::netns {

namespace {

using clock = std::chrono::steady_clock;

// What the kernel keeps for us while nobody reads: some 6 000 events.
constexpr auto receive_buffer_bytes = 8 << 20;

// The longest notification; all but those of links with many attributes are
// much shorter.
constexpr auto buffer_bytes = size_t{32768};

// Given back at once, so that a flood does not keep the caller waiting.
constexpr auto most_events = size_t{1024};
constexpr auto most_datagrams = size_t{1024};

// Removing a pin takes two steps, each of which is a change of the mounts or
// the directory; looking a moment later sees the result of both.
constexpr auto settling_time = std::chrono::milliseconds{100};

// A change is a burst of notifications. Reading each as it comes would take
// time from those who make the changes, and wake this thread for every single
// one.
constexpr auto burst_time = std::chrono::milliseconds{3};

constexpr auto groups
  = std::array{RTNLGRP_LINK,         RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
               RTNLGRP_IPV4_ROUTE,   RTNLGRP_IPV6_ROUTE,  RTNLGRP_IPV4_RULE,
               RTNLGRP_IPV6_RULE,    RTNLGRP_NSID,        RTNLGRP_IPV4_NETCONF,
               RTNLGRP_IPV6_NETCONF, RTNLGRP_NEIGH};

tl::unexpected<error> os_fail(std::string_view operation) {
  return fail(os_failure(errno, operation));
}

bool set_option(int fd, int level, int option, int value) {
  return ::setsockopt(fd, level, option, &value, sizeof value) == 0;
}

// What the kernel learns of neighbours, and what bridges learn, is as much as
// the traffic: it must not wake this thread. It bears no port.
bool leave_out_what_is_learned(int fd) {
  constexpr auto type_at = uint32_t{offsetof(nlmsghdr, nlmsg_type)};
  constexpr auto port_at = uint32_t{offsetof(nlmsghdr, nlmsg_pid)};
  constexpr auto keep = uint32_t{0xffffffff};
  // Numbers are loaded as if the network had sent them.
  auto program = std::array<sock_filter, 7>{{
    BPF_STMT(BPF_LD | BPF_H | BPF_ABS, type_at),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_DELNEIGH), 4, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_NEWNEIGH), 0, 2),
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, port_at),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0),
    BPF_STMT(BPF_RET | BPF_K, keep),
    BPF_STMT(BPF_RET | BPF_K, 0),
  }};
  auto filter = sock_fprog{program.size(), program.data()};
  return ::setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter)
         == 0;
}

result<unique_fd> open_notifications() {
  auto operation = "subscribe to kernel events";
  auto fd = netlink_socket::open_descriptor(NETLINK_ROUTE);
  if (!fd)
    return os_fail(operation);
  // Beyond the system's limit where we may; what we get otherwise is in use
  // for a while only, and an overflow is told.
  if (!set_option(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, receive_buffer_bytes))
    set_option(fd.get(), SOL_SOCKET, SO_RCVBUF, receive_buffer_bytes);
  if (!set_option(fd.get(), SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, 1))
    return os_fail("subscribe to kernel events of all namespaces "
                   "(CAP_NET_BROADCAST allows it)");
  if (!leave_out_what_is_learned(fd.get()))
    return os_fail("choose kernel events");
  // Without an address of its own the socket counts as the kernel, which gets
  // no notifications.
  auto address = sockaddr_nl{};
  address.nl_family = AF_NETLINK;
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address)
      != 0)
    return os_fail(operation);
  for (auto group : groups)
    if (!set_option(fd.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group))
      return os_fail(operation);
  return fd;
}

// The namespace a notification comes from; nothing for our own.
std::optional<int> nsid_of(msghdr& header) {
  for (auto* control = CMSG_FIRSTHDR(&header); control != nullptr;
       control = CMSG_NXTHDR(&header, control)) {
    if (control->cmsg_level != SOL_NETLINK
        || control->cmsg_type != NETLINK_LISTEN_ALL_NSID)
      continue;
    auto nsid = 0;
    std::memcpy(&nsid, CMSG_DATA(control), sizeof nsid);
    return nsid;
  }
  return std::nullopt;
}

void add(kernel_event event, std::vector<kernel_event>& events) {
  if (events.empty() || events.back() != event)
    events.push_back(std::move(event));
}

class kernel_watch : public watch {
public:
  kernel_watch(unique_fd notifications, unique_fd mounts, unique_fd wake_up,
               unique_fd firewall, pin_index pins, firewall_scope scope)
    : notifications_(std::move(notifications)), mounts_(std::move(mounts)),
      wake_up_(std::move(wake_up)), firewall_(std::move(firewall)),
      pins_(std::move(pins)), scope_(std::move(scope)) {
  }

  result<std::vector<kernel_event>>
  wait(std::chrono::milliseconds longest) override;

  void interrupt() override {
    // Fails only when the counter is full, which is as good.
    static_cast<void>(::eventfd_write(wake_up_.get(), 1));
  }

private:
  enum class source : uint8_t { notifications, mounts, wake_up };

  // Waits for descriptors until the deadline or the next look at the pins.
  result<void>
  poll_until(clock::time_point deadline, std::array<pollfd, 4>& polled) const;

  // Takes what the kernel has sent.
  result<void> read_all(int socket, std::vector<kernel_event>& events);

  // Takes one datagram. @returns false if there was none.
  result<bool> read_datagram(int socket, std::vector<kernel_event>& events);

  // Adds the name of the host's link. @returns false if there is none.
  bool name_link(kernel_event& event) const;

  void read_message(const nlmsghdr& message, std::optional<int> nsid,
                    std::vector<kernel_event>& events);

  result<void> look_at_pins(std::vector<kernel_event>& events);

  // Says of the events that waited for it which pin they are about.
  void place(std::vector<kernel_event>& events);

  unique_fd notifications_;
  unique_fd mounts_;
  unique_fd wake_up_;
  unique_fd firewall_; // None if nobody asked for it.
  pin_index pins_;
  firewall_scope scope_;
  std::optional<clock::time_point> look_at_; // When to look at the pins.

  // Events of namespaces that nobody knows yet, e.g. of one that was pinned a
  // moment ago; they wait for the next look at the pins.
  std::vector<std::pair<int, kernel_event>> unplaced_;
};

result<void> kernel_watch::poll_until(clock::time_point deadline,
                                      std::array<pollfd, 4>& polled) const {
  polled = {
    pollfd{notifications_.get(), POLLIN, 0}, pollfd{mounts_.get(), POLLPRI, 0},
    pollfd{wake_up_.get(), POLLIN, 0}, pollfd{firewall_.get(), POLLIN, 0}};
  auto until = look_at_ ? std::min(deadline, *look_at_) : deadline;
  auto left = std::chrono::ceil<std::chrono::milliseconds>(
    std::max(until - clock::now(), clock::duration::zero()));
  auto timeout
    = static_cast<int>(std::min<int64_t>(left.count(), 24 * 3600 * 1000));
  if (::poll(polled.data(), polled.size(), timeout) < 0 && errno != EINTR)
    return os_fail("wait for kernel events");
  return {};
}

result<std::vector<kernel_event>>
kernel_watch::wait(std::chrono::milliseconds longest) {
  auto events = std::vector<kernel_event>{};
  auto deadline = clock::now() + longest;
  for (;;) {
    auto polled = std::array<pollfd, 4>{};
    if (auto done = poll_until(deadline, polled); !done)
      return fail(std::move(done.error()));
    if (polled[1].revents != 0 && !look_at_)
      look_at_ = clock::now() + settling_time;
    if (polled[0].revents != 0 || polled[3].revents != 0)
      std::this_thread::sleep_for(burst_time);
    if (polled[0].revents != 0)
      if (auto done = read_all(notifications_.get(), events); !done)
        return fail(std::move(done.error()));
    if (polled[3].revents != 0)
      if (auto done = read_all(firewall_.get(), events); !done)
        return fail(std::move(done.error()));
    if (look_at_ && *look_at_ <= clock::now())
      if (auto done = look_at_pins(events); !done)
        return fail(std::move(done.error()));
    auto count = eventfd_t{0};
    auto interrupted
      = polled[2].revents != 0 && ::eventfd_read(wake_up_.get(), &count) == 0;
    if (!events.empty() || interrupted || clock::now() >= deadline)
      return events;
  }
}

result<void>
kernel_watch::read_all(int socket, std::vector<kernel_event>& events) {
  // A load of the firewall is thousands of datagrams and no event.
  for (size_t i = 0; i < most_datagrams && events.size() < most_events; ++i) {
    auto more = read_datagram(socket, events);
    if (!more)
      return fail(std::move(more.error()));
    if (!*more)
      break;
  }
  return {};
}

result<bool>
kernel_watch::read_datagram(int socket, std::vector<kernel_event>& events) {
  alignas(nlmsghdr) char buffer[buffer_bytes];
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  auto sender = sockaddr_nl{};
  auto vector = iovec{buffer, sizeof buffer};
  auto header
    = msghdr{&sender, sizeof sender, &vector, 1, control, sizeof control, 0};
  auto size = ::recvmsg(socket, &header, MSG_DONTWAIT);
  if (size < 0 && errno == ENOBUFS) {
    add({}, events);
    return true;
  }
  if (size < 0 && (errno == EAGAIN || errno == EINTR))
    return false;
  if (size < 0)
    return os_fail("read kernel events");
  if (sender.nl_pid != 0)
    return true; // Another process; only the kernel is believed.
  if ((header.msg_flags & MSG_TRUNC) != 0) {
    add({}, events); // Too long to know what it says.
    return true;
  }
  auto nsid = nsid_of(header);
  auto left = static_cast<int>(size);
  for (auto* message = reinterpret_cast<nlmsghdr*>(buffer);
       nlmsg_ok(message, left); message = nlmsg_next(message, &left)) {
    if (socket == notifications_.get())
      read_message(*message, nsid, events);
    else if (firewall::is_foreign_change(*message, scope_.table,
                                         scope_.ours.get()))
      add({kernel_event::kind::firewall_changed, 0, {}, 0, {}}, events);
    else if (firewall::is_new_firewalld(*message))
      add({kernel_event::kind::firewalld_started, 0, {}, 0, {}}, events);
  }
  return true;
}

bool kernel_watch::name_link(kernel_event& event) const {
  auto request = ifreq{};
  request.ifr_ifindex = event.index;
  if (::ioctl(notifications_.get(), SIOCGIFNAME, &request) != 0)
    return false;
  event.link_name = request.ifr_name;
  return true;
}

void kernel_watch::read_message(const nlmsghdr& message,
                                std::optional<int> nsid,
                                std::vector<kernel_event>& events) {
  if (auto changed = read_changed_nsid(message); changed && !nsid)
    pins_.forget(*changed);
  auto event = read_event(message);
  if (!event)
    return;
  if (!nsid) {
    // What a link took along that is gone by now is told by its removal.
    if (event->link_name.empty() && event->index != 0 && !name_link(*event))
      return;
    return add(std::move(*event), events);
  }
  if (pins_.is_foreign(*nsid)
      || event->what == kernel_event::kind::settings_changed)
    return;
  if (auto path = pins_.find(*nsid)) {
    event->namespace_path = *path;
    return add(std::move(*event), events);
  }
  if (!look_at_)
    look_at_ = clock::now() + settling_time;
  if (unplaced_.size() < most_events)
    unplaced_.emplace_back(*nsid, std::move(*event));
  else
    add({}, events);
}

void kernel_watch::place(std::vector<kernel_event>& events) {
  for (auto& [nsid, event] : unplaced_) {
    if (auto path = pins_.find(nsid)) {
      event.namespace_path = *path;
      add(std::move(event), events);
    } else {
      pins_.mark_foreign(nsid);
    }
  }
  unplaced_.clear();
}

result<void> kernel_watch::look_at_pins(std::vector<kernel_event>& events) {
  look_at_.reset();
  auto changed = pins_.refresh();
  if (!changed)
    return fail(std::move(changed.error()));
  for (auto& path : *changed) {
    auto event = kernel_event{};
    event.what = kernel_event::kind::namespaces_changed;
    event.namespace_path = path;
    add(std::move(event), events);
  }
  place(events);
  return {};
}

} // namespace

result<std::unique_ptr<watch>>
watch::open(const std::string& pin_dir, firewall_scope scope) {
  auto notifications = open_notifications();
  if (!notifications)
    return fail(std::move(notifications.error()));
  auto mounts
    = unique_fd{::open("/proc/thread-self/mountinfo", O_RDONLY | O_CLOEXEC)};
  if (!mounts)
    return os_fail("watch mounts");
  auto wake_up = unique_fd{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  if (!wake_up)
    return os_fail("make event descriptor");
  auto pins = pin_index::open(pin_dir);
  if (!pins)
    return fail(std::move(pins.error()));
  auto firewall = unique_fd{};
  if (!scope.table.empty()) {
    auto opened = firewall::open_events();
    if (!opened)
      return fail(std::move(opened.error()));
    firewall = std::move(*opened);
  }
  return std::make_unique<kernel_watch>(
    std::move(*notifications), std::move(mounts), std::move(wake_up),
    std::move(firewall), std::move(*pins), std::move(scope));
}

} // namespace troupe::netns
