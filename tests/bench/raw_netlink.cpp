#include "raw_netlink.hpp"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <arpa/inet.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sys/socket.h>

namespace troupe::bench {

namespace {

constexpr uint16_t make_new = NLM_F_CREATE | NLM_F_EXCL;

} // namespace

void die(const std::string& why) {
  std::fprintf(stderr, "troupe_bench: %s\n", why.c_str());
  // No destructors of other threads' objects: the namespaces, mounts and child
  // processes go with this process.
  std::_Exit(1);
}

void die_errno(const std::string& operation) {
  die(operation + ": " + std::strerror(errno));
}

// -- requests
// ------------------------------------------------------------------

void request_batch::raw(const void* data, size_t size) {
  const auto* first = static_cast<const uint8_t*>(data);
  bytes_.insert(bytes_.end(), first, first + size);
  bytes_.resize(NLMSG_ALIGN(bytes_.size()));
}

void request_batch::begin(uint16_t type, uint16_t flags, const void* body,
                          size_t size) {
  header_ = bytes_.size();
  auto header = nlmsghdr{};
  header.nlmsg_type = type;
  header.nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags);
  raw(&header, sizeof(header));
  raw(body, size);
}

void request_batch::attribute(uint16_t type, const void* data, size_t size) {
  auto header = rtattr{static_cast<uint16_t>(RTA_LENGTH(size)), type};
  raw(&header, sizeof(header));
  raw(data, size);
}

void request_batch::text(uint16_t type, std::string_view value) {
  auto terminated = std::string{value};
  attribute(type, terminated.c_str(), terminated.size() + 1);
}

void request_batch::number(uint16_t type, uint32_t value) {
  attribute(type, &value, sizeof(value));
}

size_t request_batch::open_nest(uint16_t type) {
  auto result = bytes_.size();
  attribute(type, nullptr, 0);
  return result;
}

void request_batch::close_nest(size_t nest) {
  auto length = static_cast<uint16_t>(bytes_.size() - nest);
  std::memcpy(bytes_.data() + nest, &length, sizeof(length));
}

void request_batch::end() {
  auto length = static_cast<uint32_t>(bytes_.size() - header_);
  std::memcpy(bytes_.data() + header_, &length, sizeof(length));
  ++requests_;
}

// -- socket
// --------------------------------------------------------------------

raw_socket::raw_socket()
  : fd_{::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)} {
  auto address = sockaddr_nl{};
  address.nl_family = AF_NETLINK;
  if (::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address))
      != 0)
    die_errno("open netlink socket");
  auto on = 1;
  ::setsockopt(fd_.get(), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
}

int raw_socket::talk(const request_batch& xs) {
  if (::send(fd_.get(), xs.bytes_.data(), xs.bytes_.size(), 0) < 0)
    return errno;
  auto first_error = 0;
  alignas(nlmsghdr) auto buffer = std::array<char, 16'384>{};
  for (auto left = xs.requests_; left > 0;) {
    auto size = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
    if (size < 0)
      return errno;
    auto rest = static_cast<unsigned>(size);
    auto* header = reinterpret_cast<nlmsghdr*>(buffer.data());
    for (; NLMSG_OK(header, rest); header = NLMSG_NEXT(header, rest)) {
      if (header->nlmsg_type != NLMSG_ERROR)
        continue;
      --left;
      auto* reply = static_cast<nlmsgerr*>(NLMSG_DATA(header));
      if (reply->error != 0 && first_error == 0)
        first_error = -reply->error;
    }
  }
  return first_error;
}

void raw_socket::must(const request_batch& xs, const char* operation) {
  errno = talk(xs);
  if (errno != 0)
    die_errno(operation);
}

// -- what an attach needs
// --------------------------------------------------------

void add_veth(request_batch& xs, const raw_veth& veth) {
  auto header = ifinfomsg{};
  header.ifi_flags = IFF_UP;
  header.ifi_change = IFF_UP;
  xs.begin(RTM_NEWLINK, make_new, header);
  xs.text(IFLA_IFNAME, veth.name);
  if (veth.master != 0)
    xs.number(IFLA_MASTER, static_cast<uint32_t>(veth.master));
  if (veth.group != 0)
    xs.number(IFLA_GROUP, veth.group);
  auto info = xs.open_nest(IFLA_LINKINFO);
  xs.attribute(IFLA_INFO_KIND, "veth", 4);
  auto data = xs.open_nest(IFLA_INFO_DATA);
  auto peer = xs.open_nest(VETH_INFO_PEER);
  // The peer cannot be up yet: the kernel answers ENOTCONN.
  auto peer_header = ifinfomsg{};
  xs.raw(&peer_header, sizeof(peer_header));
  xs.text(IFLA_IFNAME, veth.peer_name);
  if (veth.peer_mac)
    xs.attribute(IFLA_ADDRESS, veth.peer_mac, 6);
  xs.number(IFLA_NET_NS_FD, static_cast<uint32_t>(veth.peer_namespace));
  xs.close_nest(peer);
  xs.close_nest(data);
  xs.close_nest(info);
  xs.end();
}

void add_bridge(request_batch& xs, std::string_view name) {
  xs.begin(RTM_NEWLINK, make_new, ifinfomsg{});
  xs.text(IFLA_IFNAME, name);
  auto info = xs.open_nest(IFLA_LINKINFO);
  xs.attribute(IFLA_INFO_KIND, "bridge", 6);
  xs.close_nest(info);
  xs.end();
}

void raise_link(request_batch& xs, int index) {
  auto header = ifinfomsg{};
  header.ifi_index = index;
  header.ifi_flags = IFF_UP;
  header.ifi_change = IFF_UP;
  xs.begin(RTM_NEWLINK, 0, header);
  xs.end();
}

void add_ipv4(request_batch& xs, int index, uint32_t address, uint8_t length) {
  auto header = ifaddrmsg{};
  header.ifa_family = AF_INET;
  header.ifa_prefixlen = length;
  header.ifa_index = static_cast<uint32_t>(index);
  auto bytes = htonl(address);
  xs.begin(RTM_NEWADDR, make_new, header);
  xs.number(IFA_LOCAL, bytes);
  xs.number(IFA_ADDRESS, bytes);
  xs.end();
}

void add_default_route(request_batch& xs, uint32_t gateway) {
  auto header = rtmsg{};
  header.rtm_family = AF_INET;
  header.rtm_table = RT_TABLE_MAIN;
  header.rtm_protocol = RTPROT_STATIC;
  header.rtm_scope = RT_SCOPE_UNIVERSE;
  header.rtm_type = RTN_UNICAST;
  xs.begin(RTM_NEWROUTE, make_new, header);
  xs.number(RTA_GATEWAY, htonl(gateway));
  xs.end();
}

void delete_link(request_batch& xs, std::string_view name) {
  xs.begin(RTM_DELLINK, 0, ifinfomsg{});
  xs.text(IFLA_IFNAME, name);
  xs.end();
}

void delete_group(request_batch& xs, uint32_t group) {
  xs.begin(RTM_DELLINK, 0, ifinfomsg{});
  xs.number(IFLA_GROUP, group);
  xs.end();
}

} // namespace troupe::bench
