#include "troupe/netns/audit/audit.hpp"

#include "troupe/netns/audit/host.hpp"
#include "troupe/netns/audit/routes.hpp"
#include "troupe/netns/audit/socket.hpp"
#include "troupe/netns/firewall/nft.hpp"
#include "troupe/netns/unique_fd.hpp"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <iterator>
#include <map>
#include <thread>

#include <fcntl.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/ipv6_route.h>
#include <linux/neighbour.h>
#include <linux/nsfs.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <system_error>

namespace troupe::netns {

namespace {

ip_address to_address(int family, std::string_view bytes) {
  auto wanted = family == AF_INET ? size_t{4} : size_t{16};
  if (bytes.size() != wanted)
    return {};
  return ip_address::from_bytes(family == AF_INET ? ip_family::v4
                                                  : ip_family::v6,
                                reinterpret_cast<const uint8_t*>(bytes.data()));
}

// -- links --------------------------------------------------------------------

// A port without carrier is disabled by the kernel itself.
void read_port(const audit_attributes& port, bool has_carrier,
               audit_link& link) {
  auto is_set = [&](int flag) {
    return port.number<uint8_t>(flag) != 0;
  };
  link.port = port_flags{
    is_set(IFLA_BRPORT_ISOLATED),    is_set(IFLA_BRPORT_MODE),
    is_set(IFLA_BRPORT_LEARNING),    is_set(IFLA_BRPORT_UNICAST_FLOOD),
    is_set(IFLA_BRPORT_BCAST_FLOOD), is_set(IFLA_BRPORT_MCAST_FLOOD),
    is_set(IFLA_BRPORT_LOCKED)};
  link.port_blocked
    = has_carrier
      && port.number<uint8_t>(IFLA_BRPORT_STATE) != BR_STATE_FORWARDING;
}

void read_bridge(const audit_attributes& bridge, audit_link& link) {
  link.stp = bridge.number<uint32_t>(IFLA_BR_STP_STATE) != 0;
  link.vlan_filtering = bridge.number<uint8_t>(IFLA_BR_VLAN_FILTERING) != 0;
  auto options = bridge.number<br_boolopt_multi>(IFLA_BR_MULTI_BOOLOPT);
  link.learns_link_local
    = (options.optval & uint32_t{1} << uint32_t{BR_BOOLOPT_NO_LL_LEARN}) == 0;
}

audit_link to_link(const audit_message& message) {
  auto head = message.head<ifinfomsg>();
  auto attributes = message.attributes(sizeof head);
  auto info = attributes.inside(IFLA_LINKINFO);
  auto link = audit_link{};
  link.master = attributes.number<int>(IFLA_MASTER);
  link.index = head.ifi_index;
  link.type = head.ifi_type;
  link.up = (head.ifi_flags & IFF_UP) != 0;
  link.name = attributes.text(IFLA_IFNAME);
  link.alias = attributes.text(IFLA_IFALIAS);
  link.kind = info.text(IFLA_INFO_KIND);
  link.group = attributes.number<uint32_t>(IFLA_GROUP);
  link.mtu_bytes = attributes.number<uint32_t>(IFLA_MTU);
  auto mac = attributes.bytes(IFLA_ADDRESS);
  if (mac.size() == link.mac.bytes.size())
    std::ranges::copy(mac, link.mac.bytes.begin());
  link.arp = (head.ifi_flags & IFF_NOARP) == 0;
  if (link.kind == "bridge")
    read_bridge(info.inside(IFLA_INFO_DATA), link);
  if (info.text(IFLA_INFO_SLAVE_KIND) == "bridge")
    read_port(info.inside(IFLA_INFO_SLAVE_DATA),
              (head.ifi_flags & IFF_RUNNING) != 0, link);
  return link;
}

result<void>
read_addresses(audit_socket& socket, std::map<int, audit_link>& links) {
  auto found = socket.dump(RTM_GETADDR, ifaddrmsg{});
  if (!found)
    return fail(std::move(found.error()));
  for (auto& message : *found) {
    auto head = message.head<ifaddrmsg>();
    auto attributes = message.attributes(sizeof head);
    auto local = attributes.bytes(IFA_LOCAL);
    auto address = to_address(
      head.ifa_family, local.empty() ? attributes.bytes(IFA_ADDRESS) : local);
    auto owner = links.find(static_cast<int>(head.ifa_index));
    if (owner == links.end() || (address.is_v6() && address.is_link_local()))
      continue;
    owner->second.addresses.push_back({address, head.ifa_prefixlen});
  }
  return {};
}

result<std::vector<audit_link>> read_links(audit_socket& socket) {
  auto found = socket.dump(RTM_GETLINK, ifinfomsg{});
  if (!found)
    return fail(std::move(found.error()));
  auto links = std::map<int, audit_link>{};
  for (auto& message : *found) {
    auto link = to_link(message);
    links.emplace(link.index, std::move(link));
  }
  if (auto read = read_addresses(socket, links); !read)
    return fail(std::move(read.error()));
  auto result = std::vector<audit_link>{};
  for (auto& [index, x] : links) {
    if (auto master = links.find(x.master); master != links.end())
      x.bridge = master->second.name;
    result.push_back(x);
  }
  return result;
}

// -- routes and rules ---------------------------------------------------------

ip_family family_of(uint8_t number) {
  return number == AF_INET6 ? ip_family::v6 : ip_family::v4;
}

route_type type_of(uint8_t number) {
  switch (number) {
  case RTN_UNICAST:
    return route_type::unicast;
  case RTN_LOCAL:
    return route_type::local;
  case RTN_BROADCAST:
    return route_type::broadcast;
  case RTN_MULTICAST:
    return route_type::multicast;
  default:
    return route_type::other;
  }
}

route_info to_route(const audit_message& message) {
  auto head = message.head<rtmsg>();
  auto attributes = message.attributes(sizeof head);
  auto route = route_info{};
  route.family = family_of(head.rtm_family);
  if (head.rtm_dst_len != 0)
    route.destination = prefix{
      to_address(head.rtm_family, attributes.bytes(RTA_DST)), head.rtm_dst_len};
  if (auto gateway = attributes.bytes(RTA_GATEWAY); !gateway.empty())
    route.gateway = to_address(head.rtm_family, gateway);
  route.index = attributes.number<int>(RTA_OIF);
  route.metric = attributes.number<uint32_t>(RTA_PRIORITY);
  if (head.rtm_family == AF_INET6 && route.metric == IP6_RT_PRIO_USER)
    route.metric = 0; // Nobody gave one.
  route.table = attributes.number<uint32_t>(RTA_TABLE);
  route.protocol = head.rtm_protocol;
  route.type = type_of(head.rtm_type);
  return route;
}

rule_info to_rule(const audit_message& message) {
  auto head = message.head<fib_rule_hdr>();
  auto attributes = message.attributes(sizeof head);
  auto rule = rule_info{};
  rule.family = family_of(head.family);
  rule.priority = attributes.number<uint32_t>(FRA_PRIORITY);
  auto read_prefix = [&](int type, uint8_t length) {
    auto bytes = attributes.bytes(type);
    return bytes.empty()
             ? std::optional<prefix>{}
             : std::optional{prefix{to_address(head.family, bytes), length}};
  };
  rule.from = read_prefix(FRA_SRC, head.src_len);
  rule.to = read_prefix(FRA_DST, head.dst_len);
  rule.output = attributes.text(FRA_OIFNAME);
  if (attributes.number<uint8_t>(FRA_IP_PROTO) == IPPROTO_UDP)
    rule.proto = protocol::udp;
  auto ports = attributes.number<fib_rule_port_range>(FRA_SPORT_RANGE);
  rule.first_port = ports.start;
  rule.last_port = ports.end;
  if (head.action == FR_ACT_TO_TBL)
    rule.table = attributes.number<uint32_t>(FRA_TABLE);
  rule.jump = attributes.number<uint32_t>(FRA_GOTO);
  auto suppressed = attributes.bytes(FRA_SUPPRESS_PREFIXLEN);
  rule.no_default = !suppressed.empty()
                    && attributes.number<int>(FRA_SUPPRESS_PREFIXLEN) == 0;
  rule.made_by = attributes.number<uint8_t>(FRA_PROTOCOL);
  return rule;
}

result<void> read_family_routes(audit_socket& socket, uint8_t family,
                                std::vector<route_info>& out) {
  auto question = rtmsg{};
  question.rtm_family = family;
  auto routes = socket.dump(RTM_GETROUTE, question);
  if (!routes)
    return fail(std::move(routes.error()));
  for (const auto& message : *routes)
    if (message.head<rtmsg>().rtm_family == family)
      out.push_back(to_route(message));
  return {};
}

// Those that packets follow.
result<std::vector<neighbour_info>> read_neighbours(audit_socket& socket) {
  auto found = socket.dump(RTM_GETNEIGH, ndmsg{});
  if (!found)
    return fail(std::move(found.error()));
  auto result = std::vector<neighbour_info>{};
  for (const auto& message : *found) {
    auto head = message.head<ndmsg>();
    auto attributes = message.attributes(sizeof head);
    auto mac = attributes.bytes(NDA_LLADDR);
    auto entry = neighbour_info{};
    if ((head.ndm_state & (NUD_INCOMPLETE | NUD_FAILED)) != 0
        || (head.ndm_family != AF_INET && head.ndm_family != AF_INET6)
        || mac.size() != entry.mac.bytes.size())
      continue;
    entry.index = head.ndm_ifindex;
    entry.address = to_address(head.ndm_family, attributes.bytes(NDA_DST));
    std::ranges::copy(mac, entry.mac.bytes.begin());
    result.push_back(entry);
  }
  return result;
}

result<void> read_paths(audit_socket& socket, audit_pin& pin) {
  for (auto family : {uint8_t{AF_INET}, uint8_t{AF_INET6}}) {
    if (auto read = read_family_routes(socket, family, pin.routes); !read)
      return read;
    auto ask_rules = fib_rule_hdr{};
    ask_rules.family = family;
    auto rules = socket.dump(RTM_GETRULE, ask_rules);
    if (!rules)
      return fail(std::move(rules.error()));
    std::ranges::move(missing_rules(family_of(family), *rules),
                      std::back_inserter(pin.lost_rules));
    for (const auto& message : *rules)
      if (auto rule = to_rule(message);
          rule.made_by != made_by_kernel && rule.family == family_of(family))
        pin.rules.push_back(std::move(rule));
  }
  for (const auto& x : pin.routes)
    if (!x.destination && x.table == main_table && x.protocol == made_by_troupe)
      (x.family == ip_family::v4 ? pin.gateway : pin.gateway_v6) = x.gateway;
  return {};
}

// -- pins ---------------------------------------------------------------------

// Reads what is inside; the calling thread is in the namespace.
result<void> read_inside(audit_pin& pin) {
  auto socket = audit_socket::open(NETLINK_ROUTE);
  if (!socket)
    return fail(std::move(socket.error()));
  auto links = read_links(*socket);
  if (!links)
    return fail(std::move(links.error()));
  pin.links = std::move(*links);
  auto neighbours = read_neighbours(*socket);
  if (!neighbours)
    return fail(std::move(neighbours.error()));
  pin.neighbours = std::move(*neighbours);
  return read_paths(*socket, pin);
}

result<audit_pin> read_pin(const std::filesystem::path& path) {
  auto pin = audit_pin{};
  pin.name = path.filename();
  auto fd = unique_fd{
    ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)};
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0)
    return fail(os_failure(errno, "audit: open pin " + pin.name));
  if (::ioctl(fd.get(), NS_GET_NSTYPE) != CLONE_NEWNET)
    return pin; // A file that is left over from a pin.
  pin.inode = status.st_ino;
  if (::setns(fd.get(), CLONE_NEWNET) != 0)
    return fail(os_failure(errno, "audit: enter pin " + pin.name));
  if (auto read = read_inside(pin); !read)
    return fail(with_context(std::move(read.error()), "pin " + pin.name));
  return pin;
}

// Moves the calling thread into one namespace after the other.
result<std::vector<audit_pin>> read_pins(const std::string& pin_dir) {
  auto problem = std::error_code{};
  auto entries = std::filesystem::directory_iterator{pin_dir, problem};
  auto pins = std::vector<audit_pin>{};
  for (; !problem && entries != std::filesystem::directory_iterator{};
       entries.increment(problem)) {
    auto ignored = std::error_code{};
    if (!entries->is_regular_file(ignored))
      continue;
    auto pin = read_pin(entries->path());
    if (!pin && pin.error().os_error == ENOENT)
      continue; // Removed while we looked.
    if (!pin)
      return fail(std::move(pin.error()));
    pins.push_back(std::move(*pin));
  }
  if (problem && problem != std::errc::no_such_file_or_directory)
    return fail(os_failure(problem.value(), "audit: list pins"));
  std::ranges::sort(pins, {}, &audit_pin::name);
  return pins;
}

// -- firewall -----------------------------------------------------------------

// Nothing if nft does not work here.
std::optional<std::vector<std::string>> read_rules(const std::string& table) {
  auto result = std::vector<std::string>{};
  for (const auto* family : {"inet", "bridge"}) {
    auto printed = firewall::ask_nft({"-j", "list", "table", family, table});
    if (printed)
      result.push_back(std::move(*printed));
    else if (printed.error().message.find("No such file or directory")
             == std::string::npos)
      return std::nullopt;
  }
  return result;
}

} // namespace

result<std::vector<obstruction>>
read_obstructions(std::span<const promised_network> networks) {
  auto socket = audit_socket::open(NETLINK_ROUTE);
  if (!socket)
    return fail(std::move(socket.error()));
  auto links = read_links(*socket);
  if (!links)
    return fail(std::move(links.error()));
  return find_obstructions(*links, networks);
}

result<audit_view> read_audit(const std::string& pin_dir,
                              std::span<const promised_network> networks,
                              const std::string& table) {
  auto socket = audit_socket::open(NETLINK_ROUTE);
  if (!socket)
    return fail(std::move(socket.error()));
  auto links = read_links(*socket);
  if (!links)
    return fail(std::move(links.error()));
  // A thread of its own walks through the namespaces and ends there, so that
  // none has to find back.
  auto pins = result<std::vector<audit_pin>>{};
  try {
    std::thread{[&] {
      pins = read_pins(pin_dir);
    }}.join();
  } catch (const std::system_error& problem) {
    return fail(os_failure(problem.code().value(), "audit: start thread"));
  }
  if (!pins)
    return fail(std::move(pins.error()));
  auto obstructions = find_obstructions(*links, networks);
  if (!obstructions)
    return fail(std::move(obstructions.error()));
  auto routes = std::vector<route_info>{};
  for (auto family : {uint8_t{AF_INET}, uint8_t{AF_INET6}})
    if (auto read = read_family_routes(*socket, family, routes); !read)
      return fail(std::move(read.error()));
  auto neighbours = read_neighbours(*socket);
  if (!neighbours)
    return fail(std::move(neighbours.error()));
  return audit_view{std::move(*links),
                    std::move(routes),
                    std::move(*neighbours),
                    std::move(*pins),
                    table.empty() ? std::nullopt : read_rules(table),
                    std::move(*obstructions)};
}

} // namespace troupe::netns
