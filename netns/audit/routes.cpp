#include "troupe/netns/audit/routes.hpp"

#include "troupe/netns/audit/sample.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>

namespace troupe::netns {

namespace {

ip_address address_of(int family, std::string_view bytes) {
  const auto memory = beginning_of<std::array<uint8_t, 16>>(bytes);
  return ip_address::from_bytes(
    family == AF_INET ? ip_family::v4 : ip_family::v6, memory.data());
}

route_kind kind_of(const rtmsg& head, uint32_t table, bool has_gateway) {
  if (table == RT_TABLE_MAIN && head.rtm_type == RTN_UNICAST && !has_gateway)
    return route_kind::subnet;
  if (table == RT_TABLE_LOCAL && head.rtm_type == RTN_LOCAL)
    return route_kind::self;
  if (table == RT_TABLE_LOCAL && head.rtm_type == RTN_MULTICAST)
    return route_kind::groups;
  return route_kind::other;
}

std::string type_of(uint8_t type) {
  switch (type) {
  case RTN_LOCAL:
    return "local ";
  case RTN_BROADCAST:
    return "broadcast ";
  case RTN_BLACKHOLE:
    return "blackhole ";
  case RTN_UNREACHABLE:
    return "unreachable ";
  case RTN_PROHIBIT:
    return "prohibit ";
  case RTN_THROW:
    return "throw ";
  default:
    return {};
  }
}

std::string link_name(int index) {
  char name[IF_NAMESIZE] = {};
  return ::if_indextoname(static_cast<unsigned>(index), name) != nullptr
           ? std::string{name}
           : std::to_string(index);
}

audit_route to_route(const audit_message& message) {
  auto head = message.head<rtmsg>();
  auto attributes = message.attributes(sizeof head);
  auto result = audit_route{};
  result.table = attributes.number<uint32_t>(RTA_TABLE);
  result.index = attributes.number<int>(RTA_OIF);
  result.destination = prefix{
    address_of(head.rtm_family, attributes.bytes(RTA_DST)), head.rtm_dst_len};
  auto gateway = attributes.bytes(RTA_GATEWAY);
  result.kind = kind_of(head, result.table, !gateway.empty());
  result.text = type_of(head.rtm_type) + to_string(result.destination);
  if (!gateway.empty())
    result.text += " via " + to_string(address_of(head.rtm_family, gateway));
  if (result.index != 0)
    result.text += " dev " + link_name(result.index);
  if (result.table != RT_TABLE_MAIN)
    result.text += " table " + std::to_string(result.table);
  return result;
}

} // namespace

result<std::vector<audit_route>> read_routes(audit_socket& socket) {
  auto result = std::vector<audit_route>{};
  for (auto family : {AF_INET, AF_INET6}) {
    auto body = rtmsg{};
    body.rtm_family = static_cast<uint8_t>(family);
    auto found = socket.dump(RTM_GETROUTE, body);
    if (!found)
      return fail(std::move(found.error()));
    for (const auto& message : *found)
      if (auto head = message.head<rtmsg>();
          head.rtm_family == family && (head.rtm_flags & RTM_F_CLONED) == 0)
        result.push_back(to_route(message));
  }
  return result;
}

// -- rules --------------------------------------------------------------------

namespace {

// Others may have put theirs at the same place.
bool is_kernels_own(const audit_message& message) {
  auto head = message.head<fib_rule_hdr>();
  auto attributes = message.attributes(sizeof head);
  auto priority = attributes.number<uint32_t>(FRA_PRIORITY);
  auto table = attributes.number<uint32_t>(FRA_TABLE);
  return head.action == FR_ACT_TO_TBL && head.src_len == 0 && head.dst_len == 0
         && attributes.text(FRA_IIFNAME).empty()
         && ((priority == 0 && table == RT_TABLE_LOCAL)
             || (priority == 32'766 && table == RT_TABLE_MAIN)
             || (priority == 32'767 && table == RT_TABLE_DEFAULT));
}

std::string action_of(const fib_rule_hdr& head, uint32_t table) {
  switch (head.action) {
  case FR_ACT_BLACKHOLE:
    return "blackhole";
  case FR_ACT_UNREACHABLE:
    return "unreachable";
  case FR_ACT_PROHIBIT:
    return "prohibit";
  case FR_ACT_TO_TBL:
    return "lookup " + std::to_string(table);
  default:
    return "action " + std::to_string(head.action);
  }
}

// As the kernel says it of a packet that meets the rule.
int error_of(const fib_rule_hdr& head) {
  switch (head.action) {
  case FR_ACT_BLACKHOLE:
    return EINVAL;
  case FR_ACT_UNREACHABLE:
    return ENETUNREACH;
  case FR_ACT_PROHIBIT:
    return EACCES;
  default:
    return 0;
  }
}

// What it asks of packets beside addresses and links, as `ip rule` has it.
std::string selectors_of(const audit_attributes& attributes) {
  auto result = std::string{};
  auto mark = attributes.number<uint32_t>(FRA_FWMARK);
  auto mask = attributes.number<uint32_t>(FRA_FWMASK);
  if (mark != 0 || mask != 0)
    result += fmt::format(" fwmark {:#x}/{:#x}", mark, mask);
  if (auto proto = attributes.number<uint8_t>(FRA_IP_PROTO); proto != 0)
    result += fmt::format(" ipproto {}", proto);
  for (auto [type, word] : {std::pair{FRA_SPORT_RANGE, "sport"},
                            std::pair{FRA_DPORT_RANGE, "dport"}})
    if (auto ports = attributes.number<fib_rule_port_range>(type);
        ports.end != 0)
      result += ports.start == ports.end
                  ? fmt::format(" {} {}", word, ports.start)
                  : fmt::format(" {} {}-{}", word, ports.start, ports.end);
  return result;
}

audit_routing_rule::port_range
ports_of(const audit_attributes& attributes, int type) {
  auto found = attributes.number<fib_rule_port_range>(type);
  return {found.start, found.end};
}

audit_routing_rule to_rule(ip_family family, const audit_message& message) {
  auto head = message.head<fib_rule_hdr>();
  auto attributes = message.attributes(sizeof head);
  auto result = audit_routing_rule{};
  result.family = family;
  auto subnet = [&](int type, uint8_t length) {
    return length == 0
             ? std::optional<prefix>{}
             : prefix{address_of(head.family, attributes.bytes(type)), length};
  };
  result.source = subnet(FRA_SRC, head.src_len);
  result.destination = subnet(FRA_DST, head.dst_len);
  result.incoming = attributes.text(FRA_IIFNAME);
  result.ip_proto = attributes.number<uint8_t>(FRA_IP_PROTO);
  result.source_ports = ports_of(attributes, FRA_SPORT_RANGE);
  result.destination_ports = ports_of(attributes, FRA_DPORT_RANGE);
  result.wants_mark = (attributes.number<uint32_t>(FRA_FWMARK)
                       & attributes.number<uint32_t>(FRA_FWMASK))
                      != 0;
  if (head.action == FR_ACT_TO_TBL)
    result.table = attributes.number<uint32_t>(FRA_TABLE);
  result.is_inverted = (head.flags & FIB_RULE_INVERT) != 0;
  result.os_error = error_of(head);
  auto priority = std::to_string(attributes.number<uint32_t>(FRA_PRIORITY));
  auto what = std::string{result.is_inverted ? "not " : ""}
              + (result.source ? "from " + to_string(*result.source)
                               : std::string{"from all"});
  if (result.destination)
    what += " to " + to_string(*result.destination);
  for (auto [type, word] :
       {std::pair{FRA_IIFNAME, " iif "}, std::pair{FRA_OIFNAME, " oif "}})
    if (auto name = attributes.text(type); !name.empty())
      what += word + name;
  what += selectors_of(attributes);
  what += " " + action_of(head, attributes.number<uint32_t>(FRA_TABLE));
  result.text = priority + ": " + what;
  result.command = std::string{family == ip_family::v4 ? "ip" : "ip -6"}
                   + " rule del pref " + priority + " " + what;
  return result;
}

} // namespace

std::vector<std::string>
missing_rules(ip_family family, const std::vector<audit_message>& rules) {
  auto has = [&](uint32_t table) {
    for (const auto& message : rules) {
      auto head = message.head<fib_rule_hdr>();
      auto attributes = message.attributes(sizeof head);
      if (attributes.number<uint32_t>(FRA_TABLE) == table
          && head.action == FR_ACT_TO_TBL && head.src_len == 0
          && head.dst_len == 0)
        return true;
    }
    return false;
  };
  auto result = std::vector<std::string>{};
  auto program = std::string{family == ip_family::v4 ? "ip" : "ip -6"};
  if (!has(RT_TABLE_LOCAL))
    result.push_back(program + " rule add pref 0 table local");
  if (!has(RT_TABLE_MAIN))
    result.push_back(program + " rule add pref 32766 table main");
  return result;
}

result<audit_rules> read_rules(audit_socket& socket) {
  auto result = audit_rules{};
  for (auto family : {ip_family::v4, ip_family::v6}) {
    auto body = fib_rule_hdr{};
    body.family = family == ip_family::v4 ? AF_INET : AF_INET6;
    auto found = socket.dump(RTM_GETRULE, body);
    if (!found && found.error().os_error == EOPNOTSUPP)
      continue; // A kernel without policy routing.
    if (!found)
      return fail(std::move(found.error()));
    for (auto& x : missing_rules(family, *found))
      result.missing.push_back(std::move(x));
    for (const auto& message : *found)
      if (!is_kernels_own(message))
        result.others.push_back(to_rule(family, message));
  }
  return result;
}

bool fits(const audit_routing_rule& rule, const audit_question& packet) {
  auto has = [](const std::optional<prefix>& subnet,
                const std::optional<ip_address>& address) {
    return !subnet || (address && subnet->contains(*address));
  };
  auto in = [](const audit_routing_rule::port_range& range, uint16_t port) {
    return range.last == 0 || (range.first <= port && port <= range.last);
  };
  if (rule.family != packet.to.family())
    return false;
  auto asks
    = !rule.wants_mark && has(rule.source, packet.from)
      && has(rule.destination, packet.to)
      && (rule.incoming.empty()
          || rule.incoming
               == (packet.in == 0 ? std::string{"lo"} : packet.in_name))
      && (rule.ip_proto == 0
          || (packet.proto && rule.ip_proto == ip_number(*packet.proto)))
      && in(rule.source_ports, packet.source_port)
      && in(rule.destination_ports, packet.destination_port);
  return asks != rule.is_inverted;
}

// -- ways ---------------------------------------------------------------------

namespace {

template <class T>
std::string_view raw(const T& x) {
  return {reinterpret_cast<const char*>(&x), sizeof x};
}

// The kernel lets nobody ask for other protocols.
void put_ports(std::string& attributes, const audit_question& packet) {
  if (!packet.proto || *packet.proto == protocol::sctp)
    return;
  auto number = ip_number(*packet.proto);
  auto source = htons(packet.source_port);
  auto destination = htons(packet.destination_port);
  audit_put(attributes, RTA_IP_PROTO, raw(number));
  audit_put(attributes, RTA_SPORT, raw(source));
  audit_put(attributes, RTA_DPORT, raw(destination));
}

} // namespace

result<audit_way> ask_way(audit_socket& socket, const audit_question& packet) {
  auto bytes_of = [](const ip_address& x) {
    return std::string{reinterpret_cast<const char*>(x.bytes().data()),
                       x.is_v4() ? size_t{4} : size_t{16}};
  };
  auto body = rtmsg{};
  body.rtm_family = packet.to.is_v4() ? AF_INET : AF_INET6;
  body.rtm_dst_len = packet.to.bits();
  auto attributes = std::string{};
  audit_put(attributes, RTA_DST, bytes_of(packet.to));
  if (packet.from) {
    body.rtm_src_len = packet.from->bits();
    audit_put(attributes, RTA_SRC, bytes_of(*packet.from));
  }
  if (packet.in != 0)
    audit_put(attributes, RTA_IIF, raw(packet.in));
  put_ports(attributes, packet);
  auto found = socket.ask(RTM_GETROUTE, body, attributes);
  if (!found && found.error().os_error == ETIMEDOUT)
    return fail(std::move(found.error()));
  if (!found)
    return audit_way{found.error().os_error, 0};
  auto head = found->head<rtmsg>();
  auto link = found->attributes(sizeof head).number<int>(RTA_OIF);
  switch (head.rtm_type) { // IPv6 answers with the route that refuses.
  case RTN_BLACKHOLE:
    return audit_way{EINVAL, 0};
  case RTN_UNREACHABLE:
    return audit_way{ENETUNREACH, 0};
  case RTN_PROHIBIT:
    return audit_way{EACCES, 0};
  default:
    return audit_way{0, link};
  }
}

} // namespace troupe::netns
