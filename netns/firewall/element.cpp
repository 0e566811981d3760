#include "troupe/netns/firewall/element.hpp"

#include "troupe/config/model/id.hpp"
#include "troupe/netns/firewall/parts.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <cstring>

#include <net/if.h>
#include <netinet/in.h>
// Needs the one above.
#include <linux/netfilter.h>

namespace troupe::netns::firewall {

namespace {

constexpr auto nf_proto = part::nf_proto;
constexpr auto ifname = part::ifname;
constexpr auto ether_addr = part::ether_addr;
constexpr auto ipv4_addr = part::ipv4_addr;
constexpr auto ipv6_addr = part::ipv6_addr;
constexpr auto inet_proto = part::inet_proto;
constexpr auto inet_service = part::inet_service;

const std::array<set_schema, set_count>& schemas() {
  using f = table_family;
  static const auto table = std::array<set_schema, set_count>{{
    {set_id::within, "within", f::inet, {ifname, ifname}, {part::verdict}},
    {set_id::hairpin, "hairpin", f::inet, {ifname, ifname}},
    {set_id::self4, "self4", f::inet, {ipv4_addr, ipv4_addr}},
    {set_id::self6, "self6", f::inet, {ipv6_addr, ipv6_addr}},
    {set_id::networks, "networks", f::inet, {ifname}},
    {set_id::allowed, "allowed", f::inet, {ifname, ifname}},
    {set_id::leave, "leave", f::inet, {nf_proto, ifname}, {part::verdict}},
    {set_id::enter, "enter", f::inet, {nf_proto, ifname}, {part::verdict}},
    {set_id::open4, "open4", f::inet, {ipv4_addr, inet_proto, inet_service}},
    {set_id::open6, "open6", f::inet, {ipv6_addr, inet_proto, inet_service}},
    {set_id::publish4_addr,
     "publish4_addr",
     f::inet,
     {ipv4_addr, inet_proto, inet_service},
     {ipv4_addr, inet_service}},
    {set_id::publish4_any,
     "publish4_any",
     f::inet,
     {inet_proto, inet_service},
     {ipv4_addr, inet_service}},
    {set_id::publish6_addr,
     "publish6_addr",
     f::inet,
     {ipv6_addr, inet_proto, inet_service},
     {ipv6_addr, inet_service}},
    {set_id::publish6_any,
     "publish6_any",
     f::inet,
     {inet_proto, inet_service},
     {ipv6_addr, inet_service}},
    {set_id::source4, "source4", f::inet, {ifname}, {ipv4_addr}},
    {set_id::source6, "source6", f::inet, {ifname}, {ipv6_addr}},
    {set_id::masquerade_from, "masquerade_from", f::inet, {nf_proto, ifname}},
    {set_id::proxied, "proxied", f::inet, {inet_proto, inet_service}},
    {set_id::by_proxy, "by_proxy", f::inet, {ifname, inet_proto, inet_service}},
    {set_id::proxied_udp, "proxied_udp", f::inet, {nf_proto, inet_service}},
    {set_id::proxied_udp4, "proxied_udp4", f::inet, {ipv4_addr, inet_service}},
    {set_id::proxied_udp6, "proxied_udp6", f::inet, {ipv6_addr, inet_service}},
    {set_id::no_router, "no_router", f::inet, {nf_proto}},
    {set_id::unguarded, "unguarded", f::bridge, {ifname}},
    {set_id::guard_mac, "guard_mac", f::bridge, {ifname, ether_addr}},
    {set_id::guard_ip4, "guard_ip4", f::bridge, {ifname, ipv4_addr}},
    {set_id::guard_ip6, "guard_ip6", f::bridge, {ifname, ipv6_addr}},
    {set_id::guard_nd, "guard_nd", f::bridge, {ifname, part::nd_target}},
  }};
  return table;
}

constexpr auto verdict_names = std::array<std::string_view, 6>{
  "accept", "drop", "in_nat", "in_open", "in_routed", "in_internal"};

uint8_t protocol_number(protocol x) {
  switch (x) {
  case protocol::tcp:
    return IPPROTO_TCP;
  case protocol::udp:
    return IPPROTO_UDP;
  case protocol::sctp:
    return IPPROTO_SCTP;
  }
  return 0;
}

void append(std::vector<uint8_t>& out, std::span<const uint8_t> bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
  out.resize((out.size() + 3) / 4 * 4);
}

// The bytes of one value if it is of the type wanted.
struct encoder {
  part wanted;
  std::vector<uint8_t>& out;

  bool operator()(ip_family x) const {
    auto number
      = static_cast<uint8_t>(x == ip_family::v4 ? NFPROTO_IPV4 : NFPROTO_IPV6);
    return put(nf_proto, {&number, 1});
  }

  bool operator()(std::string_view x) const {
    auto bytes = std::array<uint8_t, IFNAMSIZ>{};
    std::memcpy(bytes.data(), x.data(), std::min(x.size(), bytes.size()));
    return put(ifname, bytes);
  }

  bool operator()(const mac_address& x) const {
    return put(ether_addr, x.bytes);
  }

  bool operator()(const ip_address& x) const {
    if (x.is_v4())
      return put(ipv4_addr, {x.bytes().data(), 4});
    return put(wanted == part::nd_target ? wanted : ipv6_addr, x.bytes());
  }

  bool operator()(protocol x) const {
    auto number = protocol_number(x);
    return put(inet_proto, {&number, 1});
  }

  bool operator()(uint16_t x) const {
    auto bytes = std::array{static_cast<uint8_t>(x >> 8U),
                            static_cast<uint8_t>(x & 0xffU)};
    return put(inet_service, bytes);
  }

  bool operator()(firewall::verdict x) const {
    if (wanted != part::verdict)
      return false;
    out.push_back(static_cast<uint8_t>(x));
    return true;
  }

private:
  bool put(part offered, std::span<const uint8_t> bytes) const {
    if (offered == wanted)
      append(out, bytes);
    return offered == wanted;
  }
};

bool encode(const std::vector<part>& wanted, std::initializer_list<value> xs,
            std::vector<uint8_t>& out) {
  if (xs.size() != wanted.size())
    return false;
  auto i = wanted.begin();
  const auto fits = std::ranges::all_of(xs, [&](const value& x) {
    return std::visit(encoder{*i++, out}, x);
  });
  out.resize(fits ? size_of(wanted) : 0); // A value alone has no padding.
  return fits;
}

const std::string_view* bad_interface(std::initializer_list<value> xs) {
  for (const auto& x : xs)
    if (const auto* name = std::get_if<std::string_view>(&x))
      if (!is_plain_interface(*name))
        return name;
  return nullptr;
}

} // namespace

std::string_view to_string(verdict x) {
  return verdict_names[static_cast<size_t>(x)];
}

const set_schema& schema_of(set_id id) {
  return schemas()[static_cast<size_t>(id)];
}

std::span<const set_schema> all_sets() {
  return schemas();
}

const set_schema* find_set(table_family family, std::string_view name) {
  for (const auto& x : schemas())
    if (x.family == family && x.name == name)
      return &x;
  return nullptr;
}

std::optional<verdict> verdict_from_string(std::string_view name) {
  auto i = std::ranges::find(verdict_names, name);
  if (i == verdict_names.end())
    return std::nullopt;
  return static_cast<verdict>(i - verdict_names.begin());
}

result<element> make_element(set_id set, std::initializer_list<value> key,
                             std::initializer_list<value> data) {
  const auto& schema = schema_of(set);
  auto operation = "make element of " + std::string{schema.name};
  if (const auto* name = bad_interface(key))
    return fail(ec::invalid_argument,
                operation + ": interface name " + quoted(std::string{*name})
                  + " is not 1 to 15 of the characters A-Z a-z 0-9 _ . @ -");
  auto result = element{set, {}, {}};
  if (!encode(schema.key, key, result.key)
      || !encode(schema.data, data, result.data))
    return fail(ec::internal, operation + ": value of another type");
  return result;
}

bool is_plain_interface(std::string_view name) {
  auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
           || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.'
           || c == '@';
  };
  return !name.empty() && name.size() < IFNAMSIZ
         && std::ranges::all_of(name, is_plain);
}

std::string table_name(const instance& owner) {
  constexpr auto digits = std::string_view{"0123456789abcdef"};
  auto result = std::string{"troupe_"};
  for (auto shift = 20; shift >= 0; shift -= 4)
    result += digits[(owner.number >> static_cast<uint32_t>(shift)) & 15U];
  return result;
}

settings settings_of(const instance& owner) {
  return {table_name(owner), {}, owner.link_group()};
}

} // namespace troupe::netns::firewall
